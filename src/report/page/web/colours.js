// What nodes are coloured by: a value of each node and a colour of each value, the same in space and on the grid.
(function () {
  'use strict';
  const stops = ['#4c51bf', '#2b8fb3', '#3bb07a', '#b9bd3a', '#e8a33d'];
  const ramp = d3.scale.linear().domain(d3.range(stops.length).map((i) => i / (stops.length - 1))).range(stops)
      .interpolate(d3.interpolateHcl).clamp(true);
  // Once around, at one lightness: what lies beside its end is its beginning.
  const wheel = (share) => d3.hcl(360 * share + 20, 55, 66).toString();

  // Whether an edge joins the first and the last of the rows (or columns).
  function wraps(surface, values) {
    const [least, most] = d3.extent(values);
    if (most - least < 2) return false;
    for (let i = 0; i < surface.edges.length; i += 2) {
      const [a, b] = [values[surface.edges[i]], values[surface.edges[i + 1]]];
      if ((a === least && b === most) || (a === most && b === least)) return true;
    }
    return false;
  }

  // {key, name, low, high, isCyclic, values [nodes], share(value) in [0, 1]}
  function colouring(key, name, values, isCyclic, range, words) {
    const [least, most] = range || d3.extent(values);
    const length = (most - least) + (isCyclic && !range ? 1 : 0);
    return {key, name, values, isCyclic, low: words ? words[0] : strider.figure(least, 3),
            high: words ? words[1] : strider.figure(most, 3),
            colours: Array.from(values, (value) => {
              if (!isFinite(value)) return '#808080';
              const share = length > 0 ? (value - least) / length : 0;
              return isCyclic ? wheel(share) : ramp(share);
            })};
  }

  strider.colouringsOf = function (surface) {
    if (surface.colourings) return surface.colourings;
    const all = [];
    if (surface.rows) {
      all.push(colouring('row', 'row', surface.rows, wraps(surface, surface.rows)));
      all.push(colouring('column', 'column', surface.columns, wraps(surface, surface.columns)));
    }
    if (surface.angle) {
      const range = [-Math.PI, Math.PI];
      all.push(colouring('angle', 'angle about the axis', surface.angle, true, range, ['-180°', '180°']));
    }
    all.push(colouring('degree', 'neighbours', surface.degrees, false));
    if (surface.beliefs) {
      all.push(colouring('loss', 'loss of the step from a node', surface.beliefs.node_losses, false));
    }
    if (!surface.rows) all.push(colouring('id', 'token id', surface.labels, false));
    surface.colourings = all;
    return all;
  };

  strider.drawScale = function (place, colouring) {
    const ends = d3.range(0, 1.0001, 1 / 12).map((share) => colouring.isCyclic ? wheel(share) : ramp(share));
    const bar = strider.make('i', {style: `background: linear-gradient(to right, ${ends.join(', ')})`});
    place.textContent = '';
    place.append(`Colour: ${colouring.name}`, ` ${colouring.low}`, bar, colouring.high);
  };
})();
