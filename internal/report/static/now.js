'use strict';
// The first view: how bad is it, of what, and what to do.
const RANGES = ['15m', '1h', '6h', '24h', '7d', 'all'];

async function nowView(main, route, signal) {
  const wanted = route.params.get('range');
  let range = REPORT ? 'report' : RANGES.includes(wanted) ? wanted : '1h';
  const head = h('div', {class: 'lead'}), told = h('div', {class: 'told'}), box = h('div', {class: 'chart'}), codes = h('div'), latest = h('div');
  let drawn = null;
  const show = async () => {
    const [o, s, l] = await Promise.all([ask('overview', {range}, signal), ask('status', {}, signal), ask('list', {limit: '6'}, signal)]);
    if (!wanted && !REPORT && range === '1h' && o.total === 0 && o.latest) { // the first look should show something
      range = 'all';
      return show();
    }
    drawn?.abort();
    drawn = new AbortController();
    signal.addEventListener('abort', () => drawn.abort());
    fill(head, lead(o, range));
    fill(told, notices(s));
    const any = o.total > 0;
    box.hidden = !any;
    if (any) chart(box, o, drawn.signal);
    fill(codes, any ? topCodes(o) : nothingNow(o, s, range));
    fill(latest, any ? section(T.latest, arrows(h('ol', {class: 'events'}, l.events.map((x) => eventRow(x, {withDay: range === 'all' || REPORT || range === '7d'})))), h('p', null, h('a', {class: 'more', href: '#/events'}, T.all_events, ' →'))) : null);
    return l.last;
  };
  const last = await show();
  fill(main, head, told, box, codes, latest);
  if (REPORT) return;
  let due = 0;
  const soon = () => { // at most every two seconds, however many events come
    if (due) return;
    due = setTimeout(() => { due = 0; if (!signal.aborted) show().catch(() => {}); }, 2000);
  };
  const slow = setInterval(() => { if (!document.hidden) soon(); }, 15000);
  signal.addEventListener('abort', () => { clearTimeout(due); clearInterval(slow); });
  listen({}, last, soon, signal, connected);
}

function lead(o, range) {
  const facts = [o.total ? T.codes(o.codes.length) : '', o.users ? T.users(o.users) : '', o.latest && !REPORT ? T.newest(ago(o.latest)) : ''].filter(Boolean).join(' · ');
  return [
    h('div', null, h('h1', null, h('span', {class: 'big'}, num(o.total)), ' ', h('span', null, T.count(o.total).replace(/^[\d.,]+ /, '')), ' ', h('span', {class: 'range-said'}, T.in_range[range])),
      h('p', {class: 'sub'}, facts, o.partial ? ' · ' + T.partial : '')),
    REPORT ? null : h('nav', {class: 'ranges', 'aria-label': T.range_label}, RANGES.map((r) => h('a', {href: '#/?range=' + r, 'aria-current': r === range ? 'true' : null}, T.range[r]))),
  ];
}

// So many more of a code in its window are worth a line of their own.
const STORM = 20;

// notices are what somebody should know beside the codes, the worst first.
function notices(s) {
  const list = [];
  const add = (kind, head, more, href) => list.push(h('li', {class: kind}, h('b', null, head), more ? h('span', null, more) : null, href ? h('a', {href}, T.see) : null));
  if (s.store?.error) add('bad', T.store_fails, s.store.error, '#/files');
  for (const [name, x] of Object.entries(s.sinks || {})) {
    if (x.error) add('bad', T.sink_fails(name), `${x.error} — ${T.sink_waits(x.backlog)}`, '#/files');
  }
  const unreadable = (s.files || []).filter((f) => f.mode === 'unreadable');
  if (unreadable.length) add('bad', T.unreadable(unreadable.length), unreadable[0].path, '#/files');
  const stalled = (s.files || []).find((f) => f.mode === 'stalled');
  if (stalled) add('bad', T.stalled, stalled.error, '#/files');
  if (s.losses?.length) add('warn', T.lost(s.losses.length), `${s.losses.at(-1).path || s.losses.at(-1).sink}: ${s.losses.at(-1).reason}`, '#/files');
  const storms = [...(s.store?.storms || [])].sort((a, b) => b.folded - a.folded);
  const strong = storms.filter((st) => st.folded >= STORM).slice(0, 3), weak = storms.filter((st) => !strong.includes(st));
  for (const st of strong) {
    list.push(h('li', {class: 'warn'}, h('b', null, T.storm(st.folded, st.code)), h('span', null, T.storm_more(st.subjects, moment(st.since))), h('a', {href: to('code', ...st.code.split('/'))}, T.everything)));
  }
  if (weak.length) {
    const n = weak.reduce((sum, st) => sum + st.folded, 0);
    list.push(h('li', {class: 'info'}, h('b', null, T.folding(n)), h('span', null, weak.slice(0, 5).map((st) => `${st.code} ${num(st.folded)}`).join(', ') + (weak.length > 5 ? ', …' : '')), h('span', null, T.folding_more)));
  }
  for (const u of s.undecided || []) add('info', T.undecided(u.count), `${T.eg} ${u.example}. ${T.undecided_hint(u.families)}`, '#/files');
  if (s.problems?.length) add('bad', T.problems, s.problems[0], '#/files');
  if (list.length === 0 && !REPORT && s.files?.length) return h('p', {class: 'fine'}, T.fine(s.files.length));
  return list.length ? h('ul', {class: 'notices'}, list) : null;
}

function topCodes(o) {
  const colour = colours(o);
  return section(T.top, h('ol', {class: 'codes'}, o.codes.map((c) => h('li', null,
    h('a', {class: 'card', href: to('code', c.family, c.code)},
      h('span', {class: 'swatch ' + colour.get(c.key).slice(2)}),
      h('span', {class: 'body'},
        h('span', {class: 'line1'}, h('b', {class: 'mono'}, h('span', {class: 'family'}, c.family + '/'), c.code), level(c.level)),
        h('span', {class: 'title'}, title(c) || c.symbol || T.unknown_code(c.key)),
        hint(c) ? h('span', {class: 'hint'}, prose(hint(c))) : null),
      h('span', {class: 'numbers'}, h('b', null, num(c.count)), spark(c.counts, colour.get(c.key)), h('span', null, [c.users ? T.users(c.users) : '', REPORT ? moment(c.last) : ago(c.last)].filter(Boolean).join(' · '))))))));
}

function nothingNow(o, s, range) {
  if (REPORT) return empty(T.none_report, T.none_report_1);
  if (o.latest) return empty(T.none_range(T.in_range[range]), T.none_range_1(`${day(new Date(o.latest))} ${clock(new Date(o.latest))}`), h('p', null, h('a', {class: 'button', href: '#/?range=all'}, T.show_all)));
  return empty(T.none_yet, T.none_yet_1((s.files || []).length), h('p', null, h('a', {href: '#/files'}, T.none_yet_2)), h('p', {class: 'mono'}, T.none_yet_3));
}
