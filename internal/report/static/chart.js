'use strict';
// The chart of events a minute: stacked bars, one colour a code, the rarest as
// one.
const SERIES = 5;

function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

// colours gives the most frequent codes a colour each.
function colours(overview) {
  const by = [...overview.codes].sort((a, b) => b.count - a.count);
  const out = new Map();
  by.forEach((c, i) => out.set(c.key, i < SERIES ? `--s${i + 1}` : '--s0'));
  return out;
}

function stacked(overview) {
  const by = [...overview.codes].sort((a, b) => b.count - a.count);
  const groups = by.slice(0, SERIES).map((c, i) => ({name: c.key, colour: `--s${i + 1}`, counts: c.counts}));
  if (by.length > SERIES) {
    const counts = Array(overview.buckets).fill(0);
    for (const c of by.slice(SERIES)) c.counts.forEach((n, i) => { counts[i] += n; });
    groups.push({name: T.others, colour: '--s0', counts});
  }
  const minutes = overview.bucket / 60;
  const x = Array.from({length: overview.buckets}, (_, i) => Date.parse(overview.from) / 1000 + (i + 0.5) * overview.bucket);
  let sum = Array(overview.buckets).fill(0);
  const layers = groups.map((g) => {
    sum = sum.map((s, i) => s + g.counts[i] / minutes);
    return {...g, top: sum};
  });
  return {x, layers};
}

// chart draws into a box, and again when its width or the theme changes.
function chart(box, overview, signal) {
  const {x, layers} = stacked(overview);
  const said = h('p', {class: 'chart-said', 'aria-hidden': 'true'});
  const area = h('div', {class: 'chart-area', role: 'img', 'aria-label': `${T.chart}: ${overview.codes.slice(0, 5).map((c) => `${c.key} ${num(c.count)}`).join(', ')}`});
  fill(box, area, said);
  let plot = null;
  const say = (u) => {
    const i = u.cursor.idx;
    if (i === null || i === undefined) { fill(said, `${T.chart}`); return; }
    const t = new Date((x[i] - overview.bucket / 2) * 1000);
    const parts = layers.filter((l) => l.counts[i] > 0).map((l) => `${l.name} ${num(l.counts[i])}`);
    fill(said, h('b', null, moment(t)), parts.length ? ' · ' + parts.join(' · ') : ' · 0');
  };
  const draw = () => {
    plot?.destroy();
    const width = Math.max(area.clientWidth, 200);
    const font = `12px ${css('--sans')}`;
    const axis = {stroke: css('--dim'), font, grid: {stroke: css('--line'), width: 1}, ticks: {show: false}};
    const bars = uPlot.paths.bars({size: [0.78, 48], radius: 0.15});
    plot = new uPlot({
      width, height: width < 500 ? 150 : 190, padding: [8, 4, 0, 0],
      legend: {show: false}, cursor: {y: false, points: {show: false}, drag: {x: false, y: false}},
      scales: {x: {range: [Date.parse(overview.from) / 1000, Date.parse(overview.to) / 1000]}, y: {range: (u, min, max) => [0, Math.max(1, max * 1.08)]}},
      axes: [
        {...axis, grid: {show: false}, space: 72, size: 26, values: (u, splits) => splits.map((s, i, all) => label(s, all, overview))},
        {...axis, size: 42, space: 36, values: (u, splits) => splits.map((s) => s === 0 ? '' : num(Math.round(s * 100) / 100))},
      ],
      series: [{}, ...[...layers].reverse().map((l) => ({fill: css(l.colour), stroke: css(l.colour), width: 0, paths: bars, points: {show: false}}))],
      hooks: {setCursor: [say]},
    }, [x, ...[...layers].reverse().map((l) => l.top)], area);
    say(plot);
  };
  let frame = 0;
  const again = () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(draw); };
  let last = 0;
  const resized = new ResizeObserver(() => { if (area.clientWidth !== last) { last = area.clientWidth; again(); } });
  resized.observe(area);
  const theme = matchMedia('(prefers-color-scheme: dark)');
  theme.addEventListener('change', again);
  signal.addEventListener('abort', () => { resized.disconnect(); theme.removeEventListener('change', again); cancelAnimationFrame(frame); plot?.destroy(); });
}

// label writes the day where it changes, else the time.
function label(s, all, overview) {
  const t = new Date(s * 1000);
  const days = (Date.parse(overview.to) - Date.parse(overview.from)) / 86400000;
  const time = `${two(t.getHours())}:${two(t.getMinutes())}`;
  const date = `${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  if (days > 5) return date;
  return days > 1 && time === '00:00' ? date : time;
}
