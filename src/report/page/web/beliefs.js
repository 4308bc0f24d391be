// What the model believes: probability by position, and walks played step by step on the grid.
(function () {
  'use strict';
  const {byId, make} = strider;
  const playMilliseconds = 600;
  let surface = null, walk = null, grid = null, playing = null, drawChart = null;

  function chart() {
    const beliefs = surface.beliefs;
    const points = (values) => Array.from(values, (value, i) => [i + 1, value]);
    const series = [{name: 'on neighbours', colour: strider.seriesColour(0), points: points(beliefs.neighbours)}];
    if (beliefs.allowed) {
      series.push({name: 'on neighbours that the rule allows', colour: strider.seriesColour(1),
                   points: points(beliefs.allowed)});
    }
    return {series, yDomain: [0, 1.02], levels: [{value: 1, name: ''}], height: 300, xLabel: 'nodes of the walk so far',
            xWord: 'After', label: 'Probability that the model gives to neighbours'};
  }

  function sampledText(sampled) {
    if (!sampled || !sampled.steps) return '';
    const percent = (share) => `${(100 * share).toFixed(share > 0.995 && share < 1 ? 2 : 1)}%`;
    return ` Of ${sampled.walks} walks sampled from the model, ${percent(sampled.on_edges)} of the steps follow an edge` +
      (sampled.allowed === null ? '' : `, ${percent(sampled.allowed)} keep to the rule`) +
      `, and ${percent(sampled.valid_walks)} are valid from end to end.`;
  }

  // Whether a step from a node to a neighbour is against the rule: among the last `window` nodes while others are free.
  function blockedAt(step) {
    const window = surface.beliefs.window;
    if (!window) return new Set();
    const recent = new Set(walk.nodes.slice(Math.max(0, step + 1 - window), step + 1));
    const near = surface.neighbours[walk.nodes[step]];
    return near.every((node) => recent.has(node)) ? new Set() : new Set(near.filter((node) => recent.has(node)));
  }

  function showStep() {
    const step = byId('walk-step').valueAsNumber;
    const likely = surface.beliefs.likely;
    const empty = d3.rgb(strider.cssColour('--panel')), full = d3.rgb(strider.cssColour('--accent'));
    const mix = d3.interpolateRgb(empty, full);
    const probability = new Float32Array(surface.nodes);
    for (let i = step * likely; i < (step + 1) * likely; ++i) {
      probability[walk.likely[i]] = Math.max(probability[walk.likely[i]], walk.probabilities[i] / 65535);
    }
    const blocked = blockedAt(step);
    const text = strider.cssColour('--quiet'), mark = strider.cssColour('--mark');
    grid.setFrames([
      ...Array.from(walk.nodes.slice(0, step), (node) => ({node, colour: text, share: 0.35})),
      {node: walk.nodes[step + 1], colour: strider.cssColour('--text')},
      {node: walk.nodes[step], colour: mark, share: 1.5}]);
    // The root shows small probabilities too.
    grid.setColours(Array.from(probability, (p) => mix(Math.sqrt(p))));
    const next = walk.nodes[step + 1], near = surface.neighbours[walk.nodes[step]];
    const onNear = near.reduce((sum, node) => sum + probability[node], 0);
    const onBlocked = near.reduce((sum, node) => sum + (blocked.has(node) ? probability[node] : 0), 0);
    const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
    byId('walk-step-name').textContent = `${step + 1} of ${walk.nodes.length - 1}`;
    byId('walk-text').textContent =
      `At node ${strider.nodeName(surface, walk.nodes[step])}: ${percent(onNear)} on its ${near.length} neighbours` +
      (blocked.size ? `, ${percent(onBlocked)} of that on ${blocked.size} that the rule forbids` : '') +
      `. The walk went to ${strider.nodeName(surface, next)}, which had ${percent(probability[next])} ` +
      `(loss ${walk.losses[step].toFixed(3)}). Blue: probability; thin frames: where it was; thick: where it is and goes.`;
    byId('walk-grid').dataset.step = step;
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    byId('walk-play').textContent = 'Play';
    byId('walk-play').setAttribute('aria-pressed', 'false');
  }

  function play() {
    if (playing) {
      stop();
      return;
    }
    const slider = byId('walk-step');
    if (slider.valueAsNumber >= Number(slider.max)) slider.value = 0;
    byId('walk-play').textContent = 'Stop';
    byId('walk-play').setAttribute('aria-pressed', 'true');
    playing = setInterval(() => {
      slider.value = slider.valueAsNumber + 1;
      showStep();
      if (slider.valueAsNumber >= Number(slider.max)) stop();
    }, playMilliseconds);
  }

  function chooseWalk() {
    stop();
    walk = surface.beliefs.played[Number(byId('walk').value)];
    byId('walk-step').max = walk.nodes.length - 2;
    byId('walk-step').value = Math.min(byId('walk-step').valueAsNumber, walk.nodes.length - 2);
    showStep();
  }

  strider.redrawWalk = () => surface && walk && showStep();

  strider.showBeliefs = function (chosen) {
    stop();
    walk = null;
    surface = chosen;
    const isKnown = surface !== null && Boolean(surface.beliefs) && surface.beliefs.played.length > 0;
    byId('beliefs-section').hidden = !isKnown;
    if (!isKnown) return;
    const beliefs = surface.beliefs;
    byId('beliefs-text').textContent = `The model's next-node probabilities on ${beliefs.walks} ${beliefs.split} walks, ` +
      `${beliefs.predictions.toLocaleString('en')} predictions.` +
      (beliefs.window ? ` The rule of the walks: not to the last ${beliefs.window} nodes, while others are free.` : '') +
      sampledText(beliefs.sampled);
    if (drawChart) drawChart();
    else drawChart = strider.chart(byId('belief-chart'), chart);
    if (!grid) {
      grid = strider.makeGridView(byId('walk-grid'), () => {});
      byId('walk').addEventListener('change', chooseWalk);
      byId('walk-step').addEventListener('input', () => {
        stop();
        showStep();
      });
      byId('walk-play').addEventListener('click', play);
    }
    grid.setSurface(surface);
    byId('walk').textContent = '';
    beliefs.played.forEach((_, i) => byId('walk').append(make('option', {value: String(i)}, String(i + 1))));
    byId('walk-step').max = beliefs.played[0].nodes.length - 2;
    byId('walk-step').value = Math.min(20, beliefs.played[0].nodes.length - 2);
    chooseWalk();
  };
})();
