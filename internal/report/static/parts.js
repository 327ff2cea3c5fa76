'use strict';
// What several views have in common.

function level(l) {
  return h('span', {class: 'level ' + l}, T.level_word[l] || l);
}

function codeLink(key) {
  const [family, code] = key.split('/');
  return h('a', {class: 'code', href: to('code', family, code)}, h('span', {class: 'family'}, family), h('wbr'), '/', h('b', null, code));
}

function title(x) { return (lang === 'zh' && x.title_zh) || x.title || x.title_zh || ''; }
function hint(x) { return (lang === 'zh' && x.hint_zh) || x.hint || x.hint_zh || ''; }

function eventTitle(e) {
  if (e.event.action === 'im.loss') return e.message;
  if (e.event.action === 'im.storm') return `${title(e.im)} — ${T.storm_of(e.im.count)}`;
  return title(e.im) || e.message;
}

function eventAddress(x) { return to('event', String(x.seq), x.event.event.id); }

// eventRow is an event in a list.
function eventRow(x, {withDay, fresh} = {}) {
  const e = x.event, t = new Date(e['@timestamp']);
  const time = h('time', {datetime: e['@timestamp'], title: `${day(t)} ${clock(t)}`}, withDay ? h('span', {class: 'day'}, day(t) + ' ') : null, clock(t));
  const key = e.event.code;
  return h('li', {class: 'event ' + e.log.level + (fresh ? ' fresh' : ''), 'data-seq': String(x.seq)},
    h('a', {class: 'row', href: eventAddress(x)}, time, level(e.log.level),
      h('span', {class: 'what'}, h('span', {class: 'name'}, key ? h('b', {class: 'mono'}, key) : null, ' ', h('span', {class: 'title'}, eventTitle(e))),
        h('span', {class: 'excerpt'}, e.event.original || (e.im?.samples || [])[0] || e.log.file?.path || ''))),
    e.user?.id ? h('a', {class: 'user', href: to('user', e.user.id), title: T.timeline}, e.user.id) : null);
}

function empty(head, ...lines) {
  return h('div', {class: 'empty'}, h('h2', null, head), lines.filter(Boolean).map((l) => l instanceof Node ? l : h('p', null, l)));
}

function section(head, ...children) {
  return h('section', null, head ? h('h2', null, head) : null, ...children);
}

function failure(err, again) {
  return h('div', {class: 'empty'}, h('h2', null, T.error), h('p', null, err.message || String(err)), h('p', null, T.gone_1), h('button', {onclick: again}, T.retry));
}

// arrows lets the arrow keys go through a list's links.
function arrows(list) {
  list.addEventListener('keydown', (ev) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[ev.key];
    if (!step) return;
    const all = [...list.querySelectorAll('a.row')];
    const i = all.indexOf(document.activeElement);
    if (i < 0) return;
    ev.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, i + step))].focus();
  });
  return list;
}

// spark is a small picture of counts over time.
function spark(counts, colour) {
  const ns = 'http://www.w3.org/2000/svg', w = 96, height = 22, max = Math.max(...counts, 1), n = counts.length;
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', `0 0 ${w} ${height}`);
  svg.setAttribute('class', 'spark');
  svg.setAttribute('aria-hidden', 'true');
  const step = w / n;
  const d = counts.map((c, i) => c === 0 ? '' : `M${(i * step).toFixed(1)} ${height}v${(-Math.max(2, c / max * height)).toFixed(1)}h${Math.max(step * 0.8, 1).toFixed(1)}v${Math.max(2, c / max * height).toFixed(1)}z`).join('');
  const p = document.createElementNS(ns, 'path');
  p.setAttribute('d', d || 'M0 0');
  p.style.fill = `var(${colour})`;
  svg.append(p);
  return svg;
}
