// Tiles at the top, what is missing, and the tables of settings, data, machine and times.
(function () {
  'use strict';

  function factOf(run, name) {
    for (const group of run.facts) {
      for (const [key, value] of group.rows) if (key === name) return value;
    }
    return null;
  }

  strider.drawSummary = function (place) {
    const tile = (value, name) => place.append(strider.make('div', {class: 'tile'},
        strider.make('b', {}, value), strider.make('span', {}, name)));
    const runs = strider.data.runs;
    if (runs.length > 1) {
      for (const run of runs) {
        const losses = run.curves.evaluation.value || run.curves.loss.value;
        tile(losses ? losses[losses.length - 1].toFixed(4) : '-', `${run.name}: last loss`);
      }
      return;
    }
    const run = runs[0];
    const best = run.lines.best, last = factOf(run, 'Evaluation loss of final_model, per predicted token');
    const losses = run.curves.evaluation.value || run.curves.loss.value;
    const loss = last !== null ? Number(last) : losses ? losses[losses.length - 1] : null;
    if (loss !== null) tile(loss.toFixed(4), last !== null ? 'evaluation loss of the model' : 'last loss');
    if (best !== undefined) tile(best.toFixed(4), 'best possible loss');
    if (best !== undefined && loss !== null) tile((loss - best).toFixed(4), 'excess over it');
    for (const [key, name] of [['Parameters', 'parameters'], ['Steps', 'steps'], ['Tokens seen', 'tokens seen'],
                               ['Training, over all sittings', 'of training']]) {
      const value = factOf(run, key);
      if (value !== null) tile(value, name);
    }
  };

  strider.drawMissing = function (place) {
    const runs = strider.data.runs;
    const texts = [].concat(...runs.map((run) => run.missing.map((text) => runs.length > 1 ? `${run.name}: ${text}` : text)));
    if (texts.length === 0) return;
    place.hidden = false;
    place.open = texts.length < 4;
    place.querySelector('summary').textContent =
        texts.length === 1 ? 'One thing is not shown' : `${texts.length} things are not shown`;
    place.querySelector('ul').append(...texts.map((text) => strider.make('li', {}, text)));
  };

  strider.drawFacts = function (place) {
    const runs = strider.data.runs;
    for (const run of runs) {
      if (runs.length > 1) place.append(strider.make('h3', {}, run.name));
      for (const group of run.facts) {
        const rows = group.rows.map(([name, value]) => strider.make('tr', {},
            strider.make('th', {scope: 'row'}, name), strider.make('td', {}, value)));
        place.append(strider.make('div', {class: group.rows.length > 12 ? 'group long' : 'group'},
            strider.make('h3', {}, group.title), strider.make('table', {}, ...rows)));
      }
    }
  };
})();
