'use strict';
// The list of events, live, with its filter in the address.
const FILTERS = ['code', 'family', 'user', 'level', 'q'];
const MOST_ROWS = 1000;

async function eventsView(main, route, signal) {
  const want = Object.fromEntries(FILTERS.map((f) => [f, route.params.get(f) || '']));
  const list = arrows(h('ol', {class: 'events', 'aria-label': T.events}));
  const note = h('div', {class: 'note'}), foot = h('div', {class: 'foot'}), live = h('div', {class: 'live'}), said = h('p', {class: 'hidden', role: 'status'});
  let before = 0, held = [], paused = false, away = false, round = null, shown = 0;

  const older = async () => {
    const mine = round;
    const page = await ask('list', {...want, before: String(before || ''), limit: '100'}, mine.signal);
    if (mine.signal.aborted) return 0;
    put(list, page.events.map((x) => eventRow(x, {withDay: true})));
    shown += page.events.length;
    before = page.before;
    fill(foot, before ? h('button', {onclick: older}, T.older) : null, REPORT?.omitted && !before ? h('p', null, T.more_omitted(REPORT.omitted)) : null);
    fill(note, shown === 0 ? empty(T.no_match, REPORT ? T.no_match_report : T.no_match_1) : null);
    return page.last;
  };
  const add = (x) => {
    if (shown++ === 0) fill(note);
    list.prepend(eventRow(x, {withDay: true, fresh: true}));
    while (list.childElementCount > MOST_ROWS) list.lastElementChild.remove();
    fill(said, T.new_event(eventTitle(x.event)));
  };
  const state = () => fill(live, h('span', {class: 'dot' + (paused || away ? ' off' : '')}), paused ? T.paused : T.live, held.length ? h('b', null, ' ', T.waiting(held.length)) : null,
    h('button', {onclick: () => { paused = !paused; if (!paused) { held.forEach(add); held = []; } state(); live.querySelector('button').focus(); }, 'aria-pressed': String(paused)}, paused ? T.resume : T.pause));
  const start = async () => {
    round?.abort();
    const mine = round = new AbortController();
    signal.addEventListener('abort', () => mine.abort());
    fill(list);
    before = shown = 0;
    held = [];
    const last = await older();
    if (REPORT || mine.signal.aborted) return;
    state();
    listen(want, last, (x) => { if (paused) { held.push(x); state(); } else add(x); }, mine.signal, (yes) => { if (away === yes) { away = !yes; state(); } connected(yes); });
  };
  let timer = 0;
  const changed = (name, value) => {
    want[name] = value;
    history.replaceState(null, '', '#/events' + query(want));
    clearTimeout(timer);
    timer = setTimeout(() => start().catch((err) => { if (err.name !== 'AbortError') fill(note, failure(err, start)); }), 250);
  };
  const families = REPORT ? [...new Set(REPORT.overview.codes.map((c) => c.family))] : await familyNames(signal);
  fill(main, h('div', {class: 'head'}, h('h1', null, T.events), live), filterBar(want, families, changed), said, note, list, foot);
  await start();
}

let knownFamilies = null;
async function familyNames(signal) {
  if (!knownFamilies) knownFamilies = (await ask('families', {}, signal)) || [];
  return knownFamilies;
}

function filterBar(want, families, changed) {
  const field = (name, control) => h('label', null, h('span', null, T[name === 'q' ? 'word' : name]), control);
  const input = (name) => field(name, h('input', {type: 'search', name, value: want[name], autocomplete: 'off', spellcheck: 'false', oninput: (ev) => changed(name, ev.target.value.trim())}));
  const select = (name, options) => field(name, h('select', {name, onchange: (ev) => changed(name, ev.target.value)}, options.map(([v, text]) => h('option', {value: v, selected: v === want[name]}, text))));
  return h('form', {class: 'filter', 'aria-label': T.filter, onsubmit: (ev) => ev.preventDefault()},
    input('code'), select('family', [['', T.any], ...families.map((f) => [f, f])]), input('user'),
    select('level', [['', T.any], ...LEVELS.slice(1).map((l) => [l, T.at_least(T.level_word[l])])]), input('q'));
}

async function userView(main, route, signal) {
  const user = route.path[1] || '';
  const page = await ask('list', {user, limit: '500'}, signal);
  const events = page.events.reverse();
  if (events.length === 0) {
    fill(main, h('p', {class: 'crumb'}, T.timeline), empty(T.no_user(user), T.no_user_1));
    return;
  }
  const items = [];
  let lastDay = '', lastTime = 0;
  for (const x of events) {
    const t = new Date(x.event['@timestamp']);
    if (day(t) !== lastDay) { items.push(h('li', {class: 'day-mark'}, lastDay = day(t))); lastTime = 0; }
    if (lastTime && t - lastTime > 60000) items.push(h('li', {class: 'gap'}, T.later(T.span((t - lastTime) / 1000))));
    lastTime = t;
    const row = eventRow(x);
    row.querySelector('.user')?.remove();
    items.push(row);
  }
  fill(main, h('p', {class: 'crumb'}, T.timeline), h('h1', {class: 'breakable'}, T.timeline_of(user)), h('p', {class: 'sub'}, T.count(events.length) + (REPORT ? '' : (lang === 'zh' ? '。' : '. ') + T.repeats)), arrows(h('ol', {class: 'events timeline'}, items)));
}
