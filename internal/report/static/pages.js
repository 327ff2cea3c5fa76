'use strict';
// One code, one event, files and sinks.

async function codeView(main, route, signal) {
  const [, family, code] = route.path;
  const key = `${family}/${code}`;
  let pages;
  try {
    pages = await ask('code', {family, code}, signal);
  } catch (err) {
    if (!(err instanceof Missing)) throw err;
    fill(main, h('p', {class: 'crumb mono'}, key), empty(T.unknown_code(key), T.unknown_code_1), await seen(key, signal));
    return;
  }
  fill(main, pages.map((p) => codePage(p)), await seen(key, signal));
}

function codePage(pages) {
  const p = pages[lang] || pages.en;
  return h('article', {class: 'code-page'},
    h('p', {class: 'crumb'}, p.name),
    h('h1', null, p.title),
    h('p', {class: 'sub'}, h('b', {class: 'mono'}, `${p.family}/${p.code}`), ' ', p.symbol ? h('span', {class: 'mono breakable'}, p.symbol) : null),
    h('p', {class: 'facts'}, level(p.level), p.facts.map((f) => h('span', {class: 'fact'}, f))),
    p.status ? h('p', {class: 'status'}, p.status) : null,
    p.parts.map((part) => part.kind === 'hints' ? todo(part.label, partBody(part)) : section(part.label, partBody(part))),
    pages.also ? section(T.also, h('p', null, pages.also.map((k) => [codeLink(k), ' ']))) : null);
}

// todo is what somebody should do: it stands out.
function todo(head, ...children) {
  return h('section', {class: 'todo'}, h('h2', null, head), ...children);
}

function partBody(part) {
  if (part.kind === 'links') return h('ul', {class: 'links'}, part.text.split(/\s+/).map((u) => h('li', null, external(u))));
  if (part.kind === 'runbook') return h('p', null, external(part.text));
  if (!part.items) return h('p', {class: 'text'}, prose(part.text));
  return h('ol', {class: 'list ' + part.kind}, part.items.map((i) => h('li', null, prose(i.text), i.tell ? h('p', {class: 'tell'}, h('b', null, T.tell), prose(i.tell)) : null)));
}

// seen is what the store has of a code.
async function seen(key, signal) {
  const page = await ask('list', {code: key, limit: '5'}, signal);
  if (page.events.length === 0) return section(T.seen, h('p', {class: 'sub'}, T.seen_never));
  return section(T.seen, arrows(h('ol', {class: 'events'}, page.events.map((x) => eventRow(x, {withDay: true})))), h('p', null, h('a', {class: 'more', href: '#/events' + query({code: key})}, T.events_of, ' →')));
}

async function eventView(main, route, signal) {
  const [, seq, id] = route.path;
  let lines = 8;
  const show = async () => {
    let x;
    try {
      x = await ask('event', {seq: /^\d+$/.test(seq) && id ? seq : '', id: id || seq, lines: String(lines)}, signal);
    } catch (err) {
      if (!(err instanceof Missing)) throw err;
      fill(main, empty(T.no_event, T.no_event_1));
      return;
    }
    const e = x.event, im = e.im || {};
    const hints = (lang === 'zh' && im.hints_zh) || im.hints || [];
    fill(main,
      h('p', {class: 'crumb'}, e.event.code ? codeLink(e.event.code) : T.loss),
      h('h1', null, eventTitle(e)),
      h('p', {class: 'facts'}, level(e.log.level), h('span', {class: 'fact'}, `${day(new Date(e['@timestamp']))} ${clock(new Date(e['@timestamp']))}`), im.confidence ? h('span', {class: 'fact'}, T.confidence[im.confidence]) : null,
        e.user?.id ? h('a', {class: 'fact', href: to('user', e.user.id)}, `${T.user} ${e.user.id}`) : null),
      linesPart(x, () => { lines = Math.min(lines * 3, 200); show(); }, lines < 200 && !REPORT),
      hints.length ? todo(T.todo, h('ol', {class: 'list hints'}, hints.map((s) => h('li', null, prose(s)))), e.event.code ? h('p', null, h('a', {class: 'more', href: to('code', ...e.event.code.split('/'))}, T.everything, ' →')) : null) : null,
      section(T.fields, factsOf(x)),
      h('details', {class: 'raw'}, h('summary', null, T.raw), h('pre', null, JSON.stringify(e, null, 2))));
    const hit = main.querySelector('.log .hit');
    if (hit) hit.parentElement.scrollTop = hit.offsetTop - (hit.parentElement.clientHeight - hit.clientHeight) / 2;
  };
  await show();
}

function linesPart(x, more, canMore) {
  const e = x.event;
  if (e.im?.samples) return section(T.samples, h('div', {class: 'log'}, e.im.samples.map((s) => h('div', {class: 'l'}, h('code', null, s)))));
  if (!x.around) {
    if (!e.event.original) return null;
    return section(T.line, h('div', {class: 'log'}, h('div', {class: 'l hit'}, h('code', null, e.event.original))), x.why ? h('p', {class: 'sub'}, x.why.split('\n')[0]) : null);
  }
  const a = x.around;
  return section(T.lines,
    h('p', {class: 'sub mono breakable'}, a.path),
    h('div', {class: 'log', tabindex: '0', role: 'region', 'aria-label': T.lines}, a.lines.map((l, i) => h('div', {class: 'l' + (i === a.hit ? ' hit' : '')}, a.first ? h('span', {class: 'n'}, String(a.first + i)) : null, h('code', null, l || ' ')))),
    canMore ? h('button', {onclick: more}, T.more_lines) : null);
}

function factsOf(x) {
  const e = x.event, im = e.im || {}, dl = h('dl', {class: 'dl'});
  const add = (name, ...v) => { if (v.some((s) => s !== undefined && s !== '' && s !== null)) put(dl, [h('dt', null, T.f[name]), h('dd', null, v)]); };
  add('file', e.log.file ? h('span', {class: 'mono breakable'}, e.log.file.path + (x.line ? ':' + x.line : '')) : '');
  add('vendor_text', e.error?.message);
  add('inner', im.inner ? `${im.inner.code} ${im.inner.type || ''} ${im.inner.message || ''}` : '');
  add('confidence', im.confidence ? `${T.confidence[im.confidence]}${lang === 'zh' ? '，' : ', '}${T.because}${lang === 'zh' ? '' : ' '}${(im.basis || []).map((b) => T.proof[b] || b).join(lang === 'zh' ? '、' : ', ')}` : '', im.alternatives ? `${lang === 'zh' ? '；' : '; '}${T.instead} ${im.alternatives.join(', ')}` : '');
  add('time', T.basis[im.time_basis] ? `${day(new Date(e['@timestamp']))} ${clock(new Date(e['@timestamp']))} (${T.basis[im.time_basis]})` : '');
  if (e.event.start) add('first', `${moment(e.event.start)} – ${moment(e.event.end)}`);
  add('subjects', im.subjects);
  add('user', e.user?.id ? h('a', {href: to('user', e.user.id)}, e.user.id) : '');
  add('status', e.http?.response?.status_code);
  for (const [name, v] of [['operation', im.operation], ['group', im.group_id], ['chatroom', im.chatroom_id], ['message', im.message?.id], ['target', im.target?.id], ['session', im.session?.id], ['client', e.client?.address], ['trace', e.trace?.id], ['sdk', im.sdk?.version], ['app', im.app_key], ['service', e.service?.name], ['flags', (e.log.flags || []).join(', ')], ['rule', e.rule?.id], ['host', e.host?.name]]) add(name, v);
  add('id', h('span', {class: 'mono breakable'}, e.event.id));
  if (x.files?.length > 1) put(dl, [h('dt', null, T.in_files), h('dd', {class: 'mono breakable'}, x.files.join(', '))]);
  return dl;
}

async function filesView(main, route, signal) {
  const show = async () => {
    const s = await ask('status', {}, signal);
    const parts = [h('h1', null, T.files), REPORT ? null : h('p', {class: 'sub'}, `${T.version} ${s.version} · ${T.running} ${T.since(moment(s.started))} · ${T.state_dir} `, h('span', {class: 'mono breakable'}, s.state_dir))];
    if (REPORT) {
      parts.push(h('p', {class: 'sub'}, T.read_files(s.read.files, s.read.lines, bytes(s.read.bytes))));
      if (s.problems?.length) parts.push(section(T.problems, h('ul', {class: 'plain'}, s.problems.map((p) => h('li', {class: 'breakable'}, p)))));
    } else {
      parts.push(section(T.files_head, fileTable(s.files || [])), section(T.sinks, sinkTable(s)), section(T.store, h('p', null, T.kept(s.store.kept, bytes(s.store.bytes)), s.store.error ? h('span', {class: 'bad'}, ' — ', s.store.error) : null)));
      parts.push(section(T.losses, lossTable(s.losses || [])));
    }
    parts.push(section(T.undecided_head, s.undecided?.length ? h('ul', {class: 'plain'}, s.undecided.map((u) => h('li', null, h('b', null, T.undecided(u.count)), h('p', {class: 'breakable'}, u.source ? `${u.source}: ` : '', `${T.eg} `, h('span', {class: 'mono'}, u.example)), h('p', {class: 'hint'}, T.undecided_hint(u.families))))) : h('p', {class: 'sub'}, T.no_undecided)));
    fill(main, parts);
  };
  await show();
  if (REPORT) return;
  const timer = setInterval(() => { if (!document.hidden && !main.contains(document.activeElement)) show().then(() => connected(true), () => connected(false)); }, 5000);
  signal.addEventListener('abort', () => clearInterval(timer));
}

function table(heads, rows) {
  return h('div', {class: 'table'}, h('table', null, h('thead', null, h('tr', null, heads.map((x) => h('th', {scope: 'col'}, x)))), h('tbody', null, rows.map((r) => h('tr', null, r.map((c, i) => h('td', {'data-head': heads[i]}, c)))))));
}

const MOST_FILES = 200;

function fileTable(files) {
  if (files.length === 0) return empty(T.no_files, T.no_files_1);
  const rank = {unreadable: 0, stalled: 0, waiting: 1, live: 2, rotated: 3};
  const sorted = [...files].sort((a, b) => (rank[a.mode] ?? 4) - (rank[b.mode] ?? 4) || b.lag - a.lag || (a.path < b.path ? -1 : 1));
  return [table([T.path, T.f.source, T.mode_head, T.lag], sorted.slice(0, MOST_FILES).map((f) => [
    h('span', {class: 'mono breakable'}, f.path, f.error ? h('span', {class: 'bad'}, f.error) : null), f.source, h('span', {class: 'mode mode-' + f.mode}, T.mode[f.mode] || f.mode), f.lag ? bytes(f.lag) : '0'])),
  sorted.length > MOST_FILES ? h('p', {class: 'sub'}, `+ ${num(sorted.length - MOST_FILES)}`) : null];
}

function sinkTable(s) {
  const names = Object.keys(s.sinks || {}).sort();
  if (names.length === 0) return h('p', {class: 'sub'}, T.no_sinks);
  return table([T.sink, T.sink_state, T.backlog, T.sent], names.map((n) => {
    const x = s.sinks[n];
    return [h('b', null, n), h('span', null, x.error ? h('span', {class: 'bad'}, T.failing(moment(x.since), x.attempts), ': ', x.error) : T.sink_ok, x.dead_letters ? ` · ${T.refused(x.dead_letters)}` : null), num(x.backlog), num(x.sent)];
  }));
}

function lossTable(losses) {
  if (losses.length === 0) return h('p', {class: 'sub'}, T.no_losses);
  return table([T.f.time, T.path, '', ''], losses.slice(-100).reverse().map((l) => [moment(l.time), h('span', {class: 'mono breakable'}, l.sink ? `${T.sink} ${l.sink}` : l.path), T.range_lost(l.from, l.to), l.reason]));
}
