// Puts the page together: what is chosen (run, representation, layer, colour, node) and who is told.
(function () {
  'use strict';
  const {byId, data, make} = strider;
  const typeNames = {after_block: 'after each block', residual_before: 'before each block',
                     after_attention: 'after attention', ffn_gate: 'FFN gate', ffn_up: 'FFN up'};
  const playMilliseconds = 900;
  let surface = null, frames = [], node = -1, spaceView = null, gridView = null;

  function fillSelect(select, entries, chosen) {
    select.textContent = '';
    for (const [value, name] of entries) select.append(make('option', {value}, name));
    if (entries.some(([value]) => value === chosen)) select.value = chosen;
  }

  const layerName = (frame) => frame.layer !== null ? `layer ${frame.layer}`
    : {input_embeds: 'embeddings', final_hidden: 'after the final norm'}[frame.array] || frame.array;

  // Which of the frames is shown first: the one in whose three components the graph's distances are best to be seen, as
  // the measures say; without them the last layer, what the model has made of the graph.
  function firstShown(frames) {
    const measured = new Map((surface.geometry ? surface.geometry.layers : []).map(
        (l) => [l.array, l.component_correlation]));
    let best = Math.max(0, frames.length - 2);
    frames.forEach((frame, i) => {
      if ((measured.get(frame.array) ?? -1) > (measured.get(frames[best].array) ?? -1)) best = i;
    });
    return best;
  }

  // The frames along the layers of one type: what is before the layers, they, and what is after them.
  function framesOf(type) {
    const before = surface.frames.filter((f) => f.layer === null && f.array === 'input_embeds');
    const after = surface.frames.filter((f) => f.layer === null && f.array !== 'input_embeds');
    return [...before, ...surface.frames.filter((f) => f.layer !== null && f.type === type), ...after];
  }

  function nodeText() {
    if (node < 0) return 'Point at a node to see its neighbours.';
    const near = surface.neighbours[node].map((n) => strider.nodeName(surface, n));
    const cell = surface.rows ? ` in row ${surface.rows[node]}, column ${surface.columns[node]}` : '';
    const listed = near.slice(0, 12).join(', ') + (near.length > 12 ? ' ...' : '');
    return `Node ${strider.nodeName(surface, node)}${cell}: ${near.length} ${near.length === 1 ? 'neighbour' : 'neighbours'}` +
      (near.length ? ` (${listed})` : '');
  }

  function chooseNode(chosen) {
    if (chosen === node) return;
    node = chosen;
    if (spaceView) spaceView.mark(node);
    gridView.mark(node);
    byId('node').textContent = nodeText();
    byId('node').dataset.node = node < 0 ? '' : surface.labels[node];
  }

  // The frame of the chosen layer at the chosen step of training: of the final model where the slider is at its end, or
  // where nothing was kept of that array on the way.
  function shownFrame() {
    const last = frames[byId('layer').valueAsNumber];
    const step = surface.steps && last ? surface.steps[byId('step').valueAsNumber] : undefined;
    return (step && step.frames.find((f) => f.array === last.array)) || last;
  }

  function showStepName() {
    const step = surface.steps ? surface.steps[byId('step').valueAsNumber] : undefined;
    const isKept = step && step.frames.some((f) => f.array === frames[byId('layer').valueAsNumber].array);
    const name = !step ? 'the final model' : isKept ? `step ${step.step.toLocaleString('en')}` :
      `step ${step.step.toLocaleString('en')}: not kept`;
    byId('step-name').textContent = name;
    byId('step').setAttribute('aria-valuetext', name);
  }

  function showFrame() {
    const frame = shownFrame();
    if (!frame) return;
    if (spaceView) spaceView.setFrame(strider.pointsOf(frame));
    byId('layer-name').textContent = layerName(frame);
    byId('layer').setAttribute('aria-valuetext', layerName(frame));
    const percent = frame.shares.reduce((a, b) => a + b, 0) * 100;
    byId('variance').textContent = `Three components have ${percent.toFixed(0)}% of the variance.`;
    byId('surface').dataset.array = frame.array;
    byId('surface').setAttribute('aria-label', `The tokens in space: ${frame.array}`);
    showStepName();
    byId('surface').dataset.step = surface.steps && surface.steps[byId('step').valueAsNumber] ?
      surface.steps[byId('step').valueAsNumber].step : 'final';
  }

  function showColours() {
    const all = strider.colouringsOf(surface);
    const colouring = all.find((c) => c.key === byId('colour').value) || all[0];
    if (spaceView) spaceView.setColours(colouring.colours);
    gridView.setColours(colouring.colours);
    strider.drawScale(byId('scale'), colouring);
  }

  function chooseType() {
    const before = byId('layer').valueAsNumber;
    frames = framesOf(byId('type').value);
    byId('layer').max = Math.max(0, frames.length - 1);
    byId('layer').value = Math.min(before, frames.length - 1);
    showFrame();
  }

  // Moves a slider to its end by itself; one at a time.
  function makePlayer(slider, button) {
    let timer = null;
    const player = {
      stop() {
        clearInterval(timer);
        timer = null;
        button.textContent = 'Play';
        button.setAttribute('aria-pressed', 'false');
      },
      start() {
        stopPlaying();
        if (slider.valueAsNumber >= Number(slider.max)) slider.value = 0;
        showFrame();
        button.textContent = 'Stop';
        button.setAttribute('aria-pressed', 'true');
        timer = setInterval(() => {
          slider.value = slider.valueAsNumber + 1;
          showFrame();
          if (slider.valueAsNumber >= Number(slider.max)) player.stop();
        }, playMilliseconds);
      },
    };
    button.addEventListener('click', () => timer === null ? player.start() : player.stop());
    slider.addEventListener('input', () => {
      stopPlaying();
      showFrame();
    });
    return player;
  }

  const players = [makePlayer(byId('layer'), byId('play')), makePlayer(byId('step'), byId('step-play'))];

  function stopPlaying() {
    for (const player of players) player.stop();
  }

  function chooseRun(i) {
    stopPlaying();
    const run = data.runs[i];
    surface = run.surface;
    node = -1;
    strider.drawGeometry(byId('geometry'), surface);
    strider.showBeliefs(surface);
    byId('surface-body').hidden = !surface || surface.frames.length === 0;
    const missing = byId('surface-missing');
    missing.hidden = !byId('surface-body').hidden;
    missing.textContent = run.missing.find((text) => text.startsWith('The surface')) || 'There are no representations.';
    if (byId('surface-body').hidden) return;
    if (!gridView) gridView = strider.makeGridView(byId('grid'), chooseNode);
    if (!spaceView && spaceView !== false) spaceView = strider.makeSurfaceView(byId('surface'), chooseNode) || false;
    strider.views = {space: spaceView, grid: gridView};
    if (spaceView) spaceView.setSurface(surface);
    gridView.setSurface(surface);
    const types = [...new Set(surface.frames.filter((f) => f.layer !== null).map((f) => f.type))];
    fillSelect(byId('type'), types.map((type) => [type, typeNames[type] || type]),
        types.includes('after_block') ? 'after_block' : undefined);
    fillSelect(byId('colour'), strider.colouringsOf(surface).map((c) => [c.key, c.name]), byId('colour').value);
    frames = framesOf(byId('type').value);
    byId('layer').max = frames.length - 1;
    byId('layer').value = firstShown(frames);
    const stepCount = surface.steps ? surface.steps.length : 0;
    byId('steps').hidden = stepCount === 0;
    byId('step').max = stepCount;
    byId('step').value = stepCount;  // its end is the final model
    chooseType();
    showColours();
    byId('grid').setAttribute('aria-label', `The ${surface.nodes} nodes on a flat grid`);
    byId('grid-name').textContent =
      `${surface.nodes} nodes, ${surface.edges.length / 2} edges${surface.rows ? ', by row and column.' : '.'}`;
    byId('node').textContent = nodeText();
  }

  function start() {
    const runs = data.runs;
    const names = runs.map((run) => run.name).join(', ');
    document.title = `${names} - Strider report`;
    byId('title').textContent = names;
    byId('subtitle').textContent = runs.length > 1 ? `${runs.length} runs` :
      runs[0].finished ? 'A finished run' : 'A run that is not finished: shown as it was when this page was written';
    strider.drawMissing(byId('missing'));
    strider.drawSummary(byId('summary'));
    strider.drawCurves();
    strider.drawFacts(byId('facts'));
    byId('versions').textContent =
      `Written by Strider ${data.strider}, drawn with three.js r${THREE.REVISION} and D3 ${d3.version}.`;
    byId('run-choice').hidden = runs.length < 2;
    fillSelect(byId('run'), runs.map((run, i) => [String(i), run.name]));
    byId('run').addEventListener('change', () => chooseRun(Number(byId('run').value)));
    byId('type').addEventListener('change', chooseType);
    byId('colour').addEventListener('change', showColours);
    byId('edges').addEventListener('change', () => spaceView && spaceView.setEdges(byId('edges').checked));
    byId('reset').addEventListener('click', () => spaceView && spaceView.reset());
    strider.onTheme(() => {
      strider.redrawWalk();
      if (surface && gridView) {
        gridView.draw();
        if (spaceView) spaceView.mark(node);
      }
    });
    const firstWithSurface = Math.max(0, runs.findIndex((run) => run.surface));
    byId('run').value = String(firstWithSurface);
    // What takes longest comes after the first view of all else.
    requestAnimationFrame(() => setTimeout(() => {
      chooseRun(firstWithSurface);
      document.documentElement.dataset.ready = 'true';
    }));
  }

  start();
})();
