// The measures of geometry by layer: a small chart for each measure, a curve for each type of representation.
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

  strider.drawGeometry = function (place, surface) {
    place.textContent = '';
    const geometry = surface && surface.geometry;
    if (!geometry) {
      place.append(strider.make('p', {class: 'quiet'}, 'It is not known for this run.'));
      return;
    }
    const layerCount = 1 + (d3.max(geometry.layers, (l) => l.layer === null ? -1 : l.layer) || 0);
    const xNames = ['in', ...d3.range(layerCount).map(String), 'out'];
    const legend = strider.make('div', {class: 'legend'});
    for (const series of seriesOf(geometry, 'rsa', layerCount)) {
      legend.append(strider.make('span', {style: `--key: ${series.colour}`}, series.name));
    }
    const small = strider.make('div', {class: 'small'});
    place.append(legend, small);
    for (const [key, name] of measures) {
      const chance = geometry.chance && geometry.chance[key];
      const box = strider.make('div', {class: 'chart'});
      small.append(strider.make('div', {}, strider.make('h3', {}, name), box));
      strider.chart(box, () => ({
        hasLegend: false,
        series: seriesOf(geometry, key, layerCount), height: 200, xNames, xLabel: 'layer', xWord: 'Layer', label: name,
        levels: typeof chance === 'number' ? [{value: chance, name: ''}] : [], empty: 'It is not defined here.'}));
    }
  };
})();
