// The measures of geometry, a small chart for each: by layer, a curve for each type of representation; or by step of
// training, a curve for some of the layers.
(function () {
  'use strict';
  const measures = [
    ['neighbours', 'Neighbours among the nearest'], ['within_two', 'Within two steps'],
    ['geodesic_correlation', 'Geodesics'], ['component_correlation', 'Distances in three components'],
    ['rsa', 'RSA'], ['dirichlet_ratio', 'Dirichlet ratio (0: smooth)'],
    ['laplacian_alignment', 'Laplacian alignment'], ['probe_r2', 'Linear probes, R²'],
    ['effective_dimension', 'Effective dimension'],
  ];

  // "input" and "output" are before the first and after the last layer.
  function seriesOf(geometry, measure, layerCount) {
    const types = [...new Set(geometry.layers.filter((l) => l.layer !== null).map((l) => l.type))];
    const value = (layer) => layer[measure] === null || layer[measure] === undefined ? NaN : layer[measure];
    const alone = (name, at) => geometry.layers.filter((l) => l.array === name).map((l) => [at, value(l)]);
    return types.map((type, i) => ({
      name: type, colour: strider.seriesColour(i),
      points: [...alone('input_embeds', 0),
               ...geometry.layers.filter((l) => l.type === type && l.layer !== null).map((l) => [l.layer + 1, value(l)]),
               ...alone('final_hidden', layerCount + 1)],
    }));
  }

  // Of the arrays that were measured on the way at most six, evenly, so that curves can be told apart.
  function shownArrays(steps) {
    const names = [...new Set([].concat(...steps.map((s) => Object.keys(s.arrays))))];
    const place = (name) => name === 'input_embeds' ? -1 : name === 'final_hidden' ? 1e9 :
      Number((/\d+/.exec(name) || [1e8])[0]);
    names.sort((a, b) => place(a) - place(b));
    const most = 6;
    if (names.length <= most) return names;
    return d3.range(most).map((i) => names[Math.round(i * (names.length - 1) / (most - 1))]);
  }

  function seriesByStep(steps, measure) {
    return shownArrays(steps).map((array, i) => ({
      name: array, colour: strider.seriesColour(i),
      points: steps.filter((s) => s.arrays[array] && typeof s.arrays[array][measure] === 'number')
          .map((s) => [s.step, s.arrays[array][measure]]),
    }));
  }

  function drawMeasures(place, geometry, makeSeries, axis) {
    place.textContent = '';
    const legend = strider.make('div', {class: 'legend'});
    for (const series of makeSeries('neighbours')) {
      legend.append(strider.make('span', {style: `--key: ${series.colour}`}, series.name));
    }
    const small = strider.make('div', {class: 'small'});
    place.append(legend, small);
    for (const [key, name] of measures) {
      const chance = geometry && geometry.chance && geometry.chance[key];
      const box = strider.make('div', {class: 'chart'});
      small.append(strider.make('div', {}, strider.make('h3', {}, name), box));
      strider.chart(box, () => Object.assign({
        hasLegend: false, series: makeSeries(key), height: 200, label: name,
        levels: typeof chance === 'number' ? [{value: chance, name: ''}] : [], empty: 'It is not defined here.'}, axis));
    }
  }

  strider.drawGeometry = function (place, surface) {
    const geometry = surface && surface.geometry, steps = surface && surface.geometry_by_step;
    const choice = strider.byId('geometry-choice');
    choice.hidden = !geometry || !steps || steps.length < 2;
    if (!geometry && !steps) {
      place.textContent = '';
      place.append(strider.make('p', {class: 'quiet'}, 'It is not known for this run.'));
      return;
    }
    function draw() {
      const byStep = !geometry || (!choice.hidden && choice.querySelector('input[value="step"]').checked);
      place.dataset.axis = byStep ? 'step' : 'layer';
      if (byStep) {
        drawMeasures(place, geometry, (key) => seriesByStep(steps, key), {xLabel: 'step', xWord: 'Step'});
        return;
      }
      const layerCount = 1 + (d3.max(geometry.layers, (l) => l.layer === null ? -1 : l.layer) || 0);
      drawMeasures(place, geometry, (key) => seriesOf(geometry, key, layerCount),
          {xNames: ['in', ...d3.range(layerCount).map(String), 'out'], xLabel: 'layer', xWord: 'Layer'});
    }
    choice.onchange = draw;
    draw();
  };
})();
