// The surface in space, drawn with three.js: points, edges, the node that is looked at and its neighbours.
(function () {
  'use strict';
  const isStill = matchMedia('(prefers-reduced-motion: reduce)');
  const moveMilliseconds = 450;

  // A disc with a rim, so that points stand out from each other and from any background.
  function disc(rim) {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 64;
    const context = canvas.getContext('2d');
    context.beginPath();
    context.arc(32, 32, 27, 0, 2 * Math.PI);
    context.fillStyle = '#ffffff';
    context.fill();
    context.lineWidth = 6;
    context.strokeStyle = rim;
    context.stroke();
    return new THREE.CanvasTexture(canvas);
  }

  function pointsOf(count, size, texture) {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute('position', new THREE.BufferAttribute(new Float32Array(3 * count), 3));
    geometry.setAttribute('color', new THREE.BufferAttribute(new Float32Array(3 * count), 3));
    const material = new THREE.PointsMaterial({size, map: texture, vertexColors: THREE.VertexColors, alphaTest: 0.5,
                                               transparent: false});
    const points = new THREE.Points(geometry, material);
    points.frustumCulled = false;
    return points;
  }

  function linesOf(count, opacity) {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute('position', new THREE.BufferAttribute(new Float32Array(6 * count), 3));
    geometry.setAttribute('color', new THREE.BufferAttribute(new Float32Array(6 * count), 3));
    const material = new THREE.LineBasicMaterial({vertexColors: THREE.VertexColors, transparent: true, opacity});
    const lines = new THREE.LineSegments(geometry, material);
    lines.frustumCulled = false;
    return lines;
  }

  function setPoint(attribute, at, from, node) {
    for (let k = 0; k < 3; ++k) attribute.array[3 * at + k] = from[3 * node + k];
  }

  class SurfaceView {
    constructor(place, onNode) {
      this.element = place;
      this.onNode = onNode;
      this.node = -1;
      this.renderer = new THREE.WebGLRenderer({antialias: true, alpha: true});
      this.renderer.setPixelRatio(Math.min(2, devicePixelRatio || 1));
      place.append(this.renderer.domElement);
      this.scene = new THREE.Scene();
      this.camera = new THREE.PerspectiveCamera(38, 1, 0.1, 50);
      this.controls = new THREE.OrbitControls(this.camera, this.renderer.domElement);
      Object.assign(this.controls, {enableKeys: false, enablePan: false, enableZoom: false, minDistance: 1.2,
                                    maxDistance: 12});
      this.controls.addEventListener('change', () => this.ask());
      this.reset();
      this.listen();
      new ResizeObserver(() => this.resize()).observe(place);
      this.resize();
    }

    // A frame is drawn when something changed, not all the time.
    ask() {
      if (this.isAsked) return;
      this.isAsked = true;
      requestAnimationFrame((now) => {
        this.isAsked = false;
        this.step(now);
        this.renderer.render(this.scene, this.camera);
      });
    }

    resize() {
      const {clientWidth: width, clientHeight: height} = this.element;
      if (!width || !height) return;
      this.renderer.setSize(width, height);
      this.camera.aspect = width / height;
      // On a narrow screen the camera stands back, so that the surface fits across.
      this.camera.zoom = Math.min(1, width / height);
      this.camera.updateProjectionMatrix();
      this.ask();
    }

    reset() {
      this.camera.position.set(1.35, 1.25, 2.75);
      this.controls.target.set(0, 0, 0);
      this.controls.update();
      this.ask();
    }

    setSurface(surface) {
      for (const object of [this.points, this.edges, this.marks, this.spokes]) {
        if (!object) continue;
        this.scene.remove(object);
        object.geometry.dispose();
        object.material.dispose();
      }
      this.surface = surface;
      this.positions = new Float32Array(3 * surface.nodes);
      this.target = null;
      const size = Math.max(0.03, Math.min(0.12, 1.5 / Math.sqrt(surface.nodes)));
      const most = d3.max(surface.neighbours, (n) => n.length) || 0;
      this.points = pointsOf(surface.nodes, size, disc('#303640'));
      this.edges = linesOf(surface.edges.length / 2, 0.4);
      this.marks = pointsOf(1 + most, 1.6 * size, disc('#000000'));
      this.spokes = linesOf(most, 1);
      // In front of all else, or they would be lost in a crowd.
      for (const object of [this.marks, this.spokes]) object.material.depthTest = false;
      this.spokes.renderOrder = 1;
      this.marks.renderOrder = 2;
      this.scene.add(this.edges, this.points, this.spokes, this.marks);
      this.mark(-1);
    }

    setEdges(isShown) {
      this.edges.visible = isShown;
      this.ask();
    }

    setColours(colours) {
      const colour = new THREE.Color();
      const points = this.points.geometry.attributes.color, edges = this.edges.geometry.attributes.color;
      const put = (attribute, at, text) => {
        colour.set(text);
        attribute.array.set([colour.r, colour.g, colour.b], 3 * at);
      };
      colours.forEach((text, node) => put(points, node, text));
      this.surface.edges.forEach((node, i) => put(edges, i, colours[node]));
      points.needsUpdate = edges.needsUpdate = true;
      this.ask();
    }

    // Moves the points to those of a frame; at once where there were none, or where motion is not wanted.
    setFrame(points) {
      const target = Float32Array.from(points, (value) => value / 32767);
      if (!this.target || isStill.matches) {
        this.positions = target;
        this.start = null;
        document.documentElement.dataset.moving = false;
      } else {
        this.from = this.positions.slice();
        this.start = performance.now();
        document.documentElement.dataset.moving = true;
      }
      this.target = target;
      this.putPoints();
      this.ask();
    }

    step(now) {
      if (!this.start) return;
      const share = Math.max(0, Math.min(1, (now - this.start) / moveMilliseconds));
      document.documentElement.dataset.moving = share < 1;
      const eased = share * share * (3 - 2 * share);
      for (let i = 0; i < this.positions.length; ++i) {
        this.positions[i] = this.from[i] + eased * (this.target[i] - this.from[i]);
      }
      if (share === 1) this.start = null;
      this.putPoints();
      if (share < 1) this.ask();
    }

    putPoints() {
      const points = this.points.geometry.attributes.position, edges = this.edges.geometry.attributes.position;
      points.array.set(this.positions);
      this.surface.edges.forEach((node, i) => setPoint(edges, i, this.positions, node));
      points.needsUpdate = edges.needsUpdate = true;
      this.putMarks();
    }

    putMarks() {
      const near = this.node < 0 ? [] : this.surface.neighbours[this.node];
      const marks = this.marks.geometry, spokes = this.spokes.geometry;
      const mark = new THREE.Color(strider.cssColour('--mark')), accent = new THREE.Color(strider.cssColour('--accent'));
      const put = (attribute, at, colour) => attribute.array.set([colour.r, colour.g, colour.b], 3 * at);
      near.forEach((node, i) => {
        setPoint(marks.attributes.position, i, this.positions, node);
        put(marks.attributes.color, i, accent);
        setPoint(spokes.attributes.position, 2 * i, this.positions, this.node);
        setPoint(spokes.attributes.position, 2 * i + 1, this.positions, node);
        put(spokes.attributes.color, 2 * i, mark);
        put(spokes.attributes.color, 2 * i + 1, accent);
      });
      if (this.node >= 0) {
        setPoint(marks.attributes.position, near.length, this.positions, this.node);
        put(marks.attributes.color, near.length, mark);
      }
      marks.setDrawRange(0, this.node < 0 ? 0 : near.length + 1);
      spokes.setDrawRange(0, 2 * near.length);
      for (const geometry of [marks, spokes]) {
        geometry.attributes.position.needsUpdate = geometry.attributes.color.needsUpdate = true;
      }
    }

    // Marks a node and its neighbours; -1: none.
    mark(node) {
      this.node = node;
      this.putMarks();
      this.ask();
    }

    // The node under a place of the screen, or -1: of those within reach the one in front.
    nodeAt(clientX, clientY, reach) {
      const box = this.renderer.domElement.getBoundingClientRect();
      const point = new THREE.Vector3();
      let best = -1, depth = Infinity;
      for (let node = 0; node < this.surface.nodes; ++node) {
        point.fromArray(this.positions, 3 * node).project(this.camera);
        const x = box.left + (point.x + 1) / 2 * box.width, y = box.top + (1 - point.y) / 2 * box.height;
        const away = Math.hypot(x - clientX, y - clientY);
        if (away < reach && point.z + away / (4 * reach) < depth) {
          depth = point.z + away / (4 * reach);
          best = node;
        }
      }
      return best;
    }

    turn(right, up) {
      const place = new THREE.Spherical().setFromVector3(this.camera.position);
      place.theta += right;
      place.phi = Math.max(0.05, Math.min(Math.PI - 0.05, place.phi - up));
      this.camera.position.setFromSpherical(place);
      this.controls.update();
    }

    zoom(factor) {
      this.camera.position.multiplyScalar(factor);
      this.controls.update();
    }

    listen() {
      const canvas = this.renderer.domElement;
      canvas.addEventListener('pointermove', (event) => {
        if (event.buttons === 0 && event.pointerType === 'mouse') this.onNode(this.nodeAt(event.clientX, event.clientY, 14));
      });
      canvas.addEventListener('click', (event) => this.onNode(this.nodeAt(event.clientX, event.clientY, 22)));
      // The wheel turns the page, until the view is chosen.
      this.element.addEventListener('focus', () => { this.controls.enableZoom = true; });
      this.element.addEventListener('blur', () => { this.controls.enableZoom = false; });
      canvas.addEventListener('pointerdown', () => this.element.focus({preventScroll: true}));
      this.element.addEventListener('keydown', (event) => {
        const act = {
          ArrowLeft: () => this.turn(-0.12, 0), ArrowRight: () => this.turn(0.12, 0),
          ArrowUp: () => this.turn(0, 0.12), ArrowDown: () => this.turn(0, -0.12),
          '+': () => this.zoom(0.9), '=': () => this.zoom(0.9), '-': () => this.zoom(1.1),
          Home: () => this.reset(), Escape: () => this.onNode(-1),
          '[': () => this.onNode((this.node + this.surface.nodes - 1) % this.surface.nodes),
          ']': () => this.onNode((this.node + 1) % this.surface.nodes),
        }[event.key];
        if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        act();
      });
    }
  }

  // Nothing where the browser has no WebGL, which the page then says.
  strider.makeSurfaceView = function (place, onNode) {
    try {
      return new SurfaceView(place, onNode);
    } catch (refused) {
      place.textContent = '';
      place.append(strider.make('p', {class: 'notice'},
          'This browser draws nothing in space: it has no WebGL, or it is switched off. All else in this page works.'));
      return null;
    }
  };
})();
