// The flat view: a cell for each node, where it lies on the grid that the surface was glued from.
(function () {
  'use strict';

  // [column, row] of each node: its cell, the sheets of a sphere beside each other; without cells in order of ids.
  function layout(surface) {
    if (!surface.rows) {
      const across = Math.ceil(Math.sqrt(surface.nodes));
      return Array.from({length: surface.nodes}, (_, i) => [i % across, Math.floor(i / across)]);
    }
    const [firstRow] = d3.extent(surface.rows), [firstColumn, lastColumn] = d3.extent(surface.columns);
    const [firstSheet] = d3.extent(surface.sheets);
    return Array.from(surface.rows, (row, i) => [
      surface.columns[i] - firstColumn + (surface.sheets[i] - firstSheet) * (lastColumn - firstColumn + 2),
      row - firstRow]);
  }

  class GridView {
    constructor(canvas, onNode) {
      this.canvas = canvas;
      this.onNode = onNode;
      this.node = -1;
      canvas.addEventListener('pointermove', (event) => {
        if (event.pointerType === 'mouse') onNode(this.nodeAt(event));
      });
      canvas.addEventListener('click', (event) => onNode(this.nodeAt(event)));
      canvas.addEventListener('keydown', (event) => this.onKey(event));
      new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    }

    setSurface(surface) {
      this.surface = surface;
      this.cells = layout(surface);
      this.across = 1 + d3.max(this.cells, (cell) => cell[0]);
      this.down = 1 + d3.max(this.cells, (cell) => cell[1]);
      this.nodeOf = new Map(this.cells.map((cell, node) => [cell[1] * this.across + cell[0], node]));
      this.mark(-1);
    }

    setColours(colours) {
      this.colours = colours;
      this.draw();
    }

    // Frames around cells, beside those of the marked node: [{node, colour, share of the usual thickness}].
    setFrames(frames) {
      this.frames = frames;
      this.draw();
    }

    mark(node) {
      this.node = node;
      this.draw();
    }

    draw() {
      const width = this.canvas.parentElement.clientWidth;
      if (!this.surface || !this.colours || !width) return;
      this.size = Math.max(1, Math.min(width / this.across, 480 / this.down));
      const scale = Math.min(2, devicePixelRatio || 1);
      const [pixelsAcross, pixelsDown] = [this.size * this.across, this.size * this.down];
      this.canvas.width = Math.round(pixelsAcross * scale);
      this.canvas.height = Math.round(pixelsDown * scale);
      this.canvas.style.width = `${pixelsAcross}px`;
      this.canvas.style.height = `${pixelsDown}px`;
      const context = this.canvas.getContext('2d');
      context.scale(scale, scale);
      const gap = this.size > 5 ? 1 : 0;
      this.cells.forEach(([x, y], node) => {
        context.fillStyle = this.colours[node];
        context.fillRect(x * this.size, y * this.size, this.size - gap, this.size - gap);
      });
      const frame = (node, colour, thick) => {
        const [x, y] = this.cells[node];
        context.lineWidth = thick;
        context.strokeStyle = colour;
        context.strokeRect(x * this.size + thick / 2 - gap / 2, y * this.size + thick / 2 - gap / 2,
            this.size - thick, this.size - thick);
      };
      const thick = Math.max(1.5, this.size / 7);
      for (const {node, colour, share} of this.frames || []) frame(node, colour, (share || 1) * thick);
      if (this.node < 0) return;
      for (const node of this.surface.neighbours[this.node]) frame(node, strider.cssColour('--text'), thick);
      frame(this.node, strider.cssColour('--mark'), 1.6 * thick);
    }

    nodeAt(event) {
      const box = this.canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left) / this.size), y = Math.floor((event.clientY - box.top) / this.size);
      if (x < 0 || x >= this.across) return -1;
      const node = this.nodeOf.get(y * this.across + x);
      return node === undefined ? -1 : node;
    }

    onKey(event) {
      const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
      if (event.key === 'Escape') this.onNode(-1);
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (this.node < 0) {
        this.onNode(0);
        return;
      }
      // Around the rim, and over cells that are no node.
      let [x, y] = this.cells[this.node];
      for (let step = 0; step < Math.max(this.across, this.down); ++step) {
        x = (x + move[0] + this.across) % this.across;
        y = (y + move[1] + this.down) % this.down;
        const node = this.nodeOf.get(y * this.across + x);
        if (node !== undefined) {
          this.onNode(node);
          return;
        }
      }
    }
  }

  strider.makeGridView = (canvas, onNode) => new GridView(canvas, onNode);
})();
