// Curves, drawn with D3: one chart, and the three of a training run.
(function () {
  'use strict';
  const margin = {top: 10, right: 14, bottom: 34, left: 56};

  function ticks(value) {
    const size = Math.abs(value);
    if (size === 0) return '0';
    if (size >= 1e4) return d3.format('.3s')(value).replace('G', 'B').replace(/\.?0+(?=[a-zA-Z]?$)/, '');
    return size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(6)));
  }

  // Points that can be drawn on the scale.
  function drawable(series, isLog) {
    return series.points.filter((p) => isFinite(p[0]) && isFinite(p[1]) && (!isLog || p[1] > 0));
  }

  function domains(chart) {
    const points = [].concat(...chart.series.map((s) => s.shown));
    const ys = points.map((p) => p[1]).concat((chart.levels || []).filter((l) => !l.isLoose).map((l) => l.value));
    let [least, most] = chart.yDomain || d3.extent(ys);
    if (least === undefined) [least, most] = [0, 1];
    if (chart.isLog) return {x: d3.extent(points, (p) => p[0]), y: [least / 1.2, most * 1.2]};
    const room = (most - least || Math.abs(most) || 1) * 0.05;
    return {x: d3.extent(points, (p) => p[0]), y: chart.yDomain || [least - room, most + room]};
  }

  function drawAxes(plot, chart, x, y, width, height) {
    const count = Math.max(2, Math.floor(width / 90));
    const yTicks = chart.isLog ? y.ticks().filter((v) => /^1/.test(v.toExponential())) : y.ticks(5);
    const shownTicks = yTicks.length > 1 ? yTicks : y.ticks(4);
    plot.selectAll('.grid-line').data(shownTicks).enter().append('line').attr('class', 'grid-line')
        .attr('x2', width).attr('y1', y).attr('y2', y);
    const bottom = d3.svg.axis().scale(x).orient('bottom').ticks(count).tickSize(5).tickFormat(ticks);
    if (chart.xNames) {
      const every = Math.ceil(chart.xNames.length / Math.max(2, Math.floor(width / 34)));
      bottom.tickValues(d3.range(0, chart.xNames.length, every)).tickFormat((i) => chart.xNames[i]);
    }
    plot.append('g').attr('class', 'axis').attr('transform', `translate(0,${height})`).call(bottom);
    plot.append('g').attr('class', 'axis')
        .call(d3.svg.axis().scale(y).orient('left').tickValues(shownTicks).tickSize(0).tickPadding(8).tickFormat(ticks));
    plot.append('text').attr('x', width).attr('y', height + 31).attr('text-anchor', 'end').text(chart.xLabel || '');
  }

  function drawLevels(plot, chart, y, width) {
    const [bottom, top] = y.domain();
    for (const level of chart.levels || []) {
      if (level.value < bottom || level.value > top) continue;
      plot.append('line').attr('class', 'level').attr('x2', width).attr('y1', y(level.value)).attr('y2', y(level.value))
          .style('stroke', level.colour || null);
      if (level.name) {
        plot.append('text').attr('x', width).attr('y', y(level.value) - 5).attr('text-anchor', 'end').text(level.name);
      }
    }
  }

  // A vertical line that follows the mouse or the arrow keys, with the values there in words.
  function addCursor(svg, plot, chart, x, width, height, readout) {
    const line = plot.append('line').attr('class', 'cursor').attr('y2', height).style('display', 'none');
    const all = [...new Set([].concat(...chart.series.map((s) => s.shown.map((p) => p[0]))))].sort((a, b) => a - b);
    let at = -1;
    function show(i) {
      at = Math.max(0, Math.min(all.length - 1, i));
      line.style('display', null).attr('x1', x(all[at])).attr('x2', x(all[at]));
      const parts = [];
      for (const series of chart.series) {
        const i = d3.bisector((p) => p[0]).left(series.shown, all[at]);
        const near = [series.shown[i - 1], series.shown[i]].filter(Boolean)
            .sort((a, b) => Math.abs(a[0] - all[at]) - Math.abs(b[0] - all[at]))[0];
        if (near) parts.push(`${series.name} ${strider.figure(near[1], 5)}`);
      }
      const place = chart.xNames ? chart.xNames[all[at]] : strider.figure(all[at], 7);
      readout.textContent = `${chart.xWord || ''} ${place}: ${parts.join(', ')}`.trim();
    }
    function hide() {
      line.style('display', 'none');
      readout.textContent = '';
    }
    svg.on('mousemove', () => {
      const value = x.invert(d3.mouse(plot.node())[0]);
      const i = d3.bisectLeft(all, value);
      show(i > 0 && value - all[i - 1] < all[i] - value ? i - 1 : i);
    });
    svg.on('mouseleave', hide).on('blur', hide);
    svg.on('keydown', () => {
      const big = Math.max(1, Math.round(all.length / 20));
      const move = {ArrowLeft: -1, ArrowRight: 1, PageUp: -big, PageDown: big, Home: -1e9, End: 1e9}[d3.event.key];
      if (move === undefined || all.length === 0) return;
      d3.event.preventDefault();
      show(at + move);
    });
  }

  // chart: {series: [{name, colour, points: [[x, y]], isThin}], levels: [{value, name}], xLabel, xWord, xNames, isLog,
  // height, label, hasLegend: false where one elsewhere is enough}. Draws into `place`, again whenever its width changes, and returns the function that draws it.
  strider.chart = function (place, makeChart) {
    const legend = strider.make('div', {class: 'legend'});
    const box = strider.make('div', {});
    const readout = strider.make('div', {class: 'readout', 'aria-live': 'polite'});
    place.append(legend, box, readout);
    let width = 0;

    function draw() {
      const chart = makeChart();
      width = box.clientWidth;
      box.textContent = legend.textContent = readout.textContent = '';
      for (const series of chart.series) series.shown = drawable(series, chart.isLog);
      chart.series = chart.series.filter((s) => s.shown.length > 0);
      if (chart.series.length === 0) {
        box.append(strider.make('p', {class: 'quiet'}, chart.empty || 'Nothing is known of this.'));
        return;
      }
      if (chart.series.length > 1 && chart.hasLegend !== false) {
        for (const series of chart.series) {
          legend.append(strider.make('span', {style: `--key: ${series.colour}`, class: series.isThin ? 'dots' : ''}, series.name));
        }
      }
      const inner = Math.max(80, width - margin.left - margin.right);
      const height = (chart.height || 300) - margin.top - margin.bottom;
      const domain = domains(chart);
      const x = d3.scale.linear().domain(domain.x).range([0, inner]);
      const y = (chart.isLog ? d3.scale.log() : d3.scale.linear()).domain(domain.y).range([height, 0]);
      const svg = d3.select(box).append('svg').attr('height', chart.height || 300).attr('tabindex', 0)
          .attr('role', 'img').attr('aria-label', `${chart.label}. Left and right arrow keys read values.`);
      const plot = svg.append('g').attr('transform', `translate(${margin.left},${margin.top})`);
      drawAxes(plot, chart, x, y, inner, height);
      drawLevels(plot, chart, y, inner);
      const path = d3.svg.line().x((p) => x(p[0])).y((p) => y(p[1]));
      for (const series of chart.series) {
        plot.append('path').attr('class', series.isThin ? 'curve thin' : 'curve').attr('d', path(series.shown))
            .style('stroke', series.colour);
        if (series.shown.length < 30) {
          plot.append('g').selectAll('circle').data(series.shown).enter().append('circle').attr('r', 2.5)
              .attr('cx', (p) => x(p[0])).attr('cy', (p) => y(p[1])).style('fill', series.colour);
        }
      }
      addCursor(svg, plot, chart, x, inner, height, readout);
    }

    draw();
    new ResizeObserver(() => {
      if (box.clientWidth !== width) draw();
    }).observe(box);
    return draw;
  };

  const words = {step: 'Step', tokens: 'Tokens', seconds: 'Seconds of training'};

  function axis() {
    return document.querySelector('#axis input:checked').value;
  }

  function pointsBy(series, name) {
    if (!series.value || !series[name]) return [];
    return Array.from(series.value, (value, i) => [series[name][i], value]);
  }

  // The same curve of every run.
  function ofAllRuns(name) {
    return strider.data.runs.map((run, i) => (
      {name: run.name, colour: strider.seriesColour(i), points: pointsBy(run.curves[name], axis())}));
  }

  function lossChart() {
    const runs = strider.data.runs;
    const isExcess = strider.byId('excess').checked;
    const series = [];
    runs.forEach((run, i) => {
      const prefix = runs.length > 1 ? `${run.name}, ` : '';
      const best = isExcess ? run.lines.best : 0;
      if (best === undefined) return;
      const curve = (name, word, colour, isThin) => series.push({
        name: prefix + word, colour, isThin, points: pointsBy(run.curves[name], axis()).map((p) => [p[0], p[1] - best])});
      curve('loss', 'training', strider.seriesColour(runs.length > 1 ? i : 1), true);
      curve('evaluation', 'evaluation', strider.seriesColour(runs.length > 1 ? i : 0), false);
    });
    const levels = [];
    const seen = new Set();
    for (const run of runs) {
      const add = (name, word) => {
        const value = run.lines[name];
        if (value === undefined || seen.has(word + value.toFixed(4))) return;
        seen.add(word + value.toFixed(4));
        levels.push({value: isExcess ? value - run.lines.best : value, name: `${word} ${value.toFixed(3)}`});
      };
      if (!isExcess) add('best', 'best possible');
      if (!isExcess || run.lines.best !== undefined) {
        add('neighbours', 'ln(neighbours)');
        add('vocabulary', 'ln(vocabulary)');
      }
    }
    return {series, levels: levels.filter((l) => !isExcess || l.value > 0), isLog: isExcess, height: 380,
            xLabel: words[axis()], xWord: words[axis()],
            label: 'Loss in nats per predicted token',
            empty: `No losses ${isExcess ? 'with a known best possible loss ' : ''}are known by ${axis()}.`};
  }

  strider.drawCurves = function () {
    const small = (name, label) => () => ({
      series: ofAllRuns(name), height: 200, xLabel: words[axis()], xWord: words[axis()], label,
      empty: `It is not known by ${axis()}.`});
    const draws = [
      strider.chart(strider.byId('loss'), lossChart),
      strider.chart(strider.byId('learning-rate'), small('learning_rate', 'Learning rate')),
      strider.chart(strider.byId('gradient-norm'), small('gradient_norm', 'Gradient norm')),
    ];
    const redraw = () => draws.forEach((draw) => draw());
    for (const input of document.querySelectorAll('#axis input, #excess')) input.addEventListener('change', redraw);
  };
})();
