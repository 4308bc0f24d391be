// The data of the page: what strider report wrote into it, with arrays of numbers as typed arrays.
var strider = {};
(function () {
  'use strict';

  // Base64 of little-endian numbers (surface.h and series.h say of which).
  function numbers(text, Type) {
    if (text === null || text === undefined) return null;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Type(bytes.buffer);
  }

  function readSeries(series) {
    const read = {};
    for (const name of ['step', 'value', 'tokens', 'seconds']) read[name] = numbers(series[name], Float32Array);
    return read;
  }

  // beliefs_json.h says what it is.
  function readBeliefs(beliefs) {
    if (!beliefs) return;
    for (const name of ['neighbours', 'allowed', 'losses', 'node_losses']) {
      beliefs[name] = numbers(beliefs[name], Float32Array);
    }
    for (const walk of beliefs.played) {
      for (const name of ['nodes', 'likely', 'probabilities']) walk[name] = numbers(walk[name], Uint16Array);
      walk.losses = numbers(walk.losses, Float32Array);
    }
  }

  function readSurface(surface) {
    if (!surface) return null;
    for (const name of ['rows', 'columns', 'sheets']) surface[name] = numbers(surface[name], Int16Array);
    surface.labels = numbers(surface.labels, Int32Array);
    surface.degrees = numbers(surface.degrees, Uint16Array);
    surface.edges = numbers(surface.edges, Uint16Array) || new Uint16Array(0);
    surface.angle = numbers(surface.angle, Float32Array);
    readBeliefs(surface.beliefs);
    surface.neighbours = Array.from({length: surface.nodes}, () => []);
    for (let i = 0; i < surface.edges.length; i += 2) {
      surface.neighbours[surface.edges[i]].push(surface.edges[i + 1]);
      surface.neighbours[surface.edges[i + 1]].push(surface.edges[i]);
    }
    return surface;
  }

  // The points of a frame are decoded when they are first drawn.
  strider.pointsOf = function (frame) {
    if (typeof frame.points === 'string') frame.points = numbers(frame.points, Int16Array);
    return frame.points;
  };

  // What a node is called: its token.
  strider.nodeName = (surface, node) => surface.names ? surface.names[node] : String(surface.labels[node]);
  strider.numbers = numbers;
  strider.data = JSON.parse(document.getElementById('data').textContent);
  for (const run of strider.data.runs) {
    for (const name of Object.keys(run.curves)) run.curves[name] = readSeries(run.curves[name]);
    run.surface = readSurface(run.surface);
  }

  strider.byId = (id) => document.getElementById(id);
  // An element with attributes and text or children.
  strider.make = function (name, attributes, ...children) {
    const element = document.createElement(name);
    for (const key of Object.keys(attributes || {})) element.setAttribute(key, attributes[key]);
    element.append(...children);
    return element;
  };
  // A number of a few digits.
  strider.figure = function (value, digits) {
    if (value === null || value === undefined || !isFinite(value)) return '-';
    return Number(value.toPrecision(digits || 4)).toLocaleString('en', {maximumSignificantDigits: digits || 4});
  };
  // Colours of runs and of types of representations, by their place in the list.
  strider.seriesColour = (i) => `var(--s${i % 8})`;
})();
