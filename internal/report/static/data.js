'use strict';
// Where the data come from: a daemon's API, or the report that this file is.
const REPORT = (() => {
  const e = document.getElementById('report');
  return e ? JSON.parse(e.textContent) : null;
})();

const storage = {
  get(k) { try { return localStorage.getItem(k); } catch { return null; } },
  set(k, v) { try { localStorage.setItem(k, v); } catch { /* then it is asked for again */ } },
};

let token = '';
function takeToken() {
  if (REPORT) return;
  const url = new URL(location.href);
  const given = url.searchParams.get('token');
  if (given) {
    storage.set('imwatch.token', given);
    url.searchParams.delete('token');
    history.replaceState(null, '', url.pathname + url.search + url.hash);
  }
  token = given || storage.get('imwatch.token') || '';
}

class Refused extends Error {}
class Missing extends Error {}

function headers() { return token ? {Authorization: 'Bearer ' + token} : {}; }

async function ask(path, params = {}, signal) {
  if (REPORT) return fromReport(path, params);
  const r = await fetch('/api/' + path + query(params), {headers: headers(), signal});
  if (r.status === 401) throw new Refused();
  const body = await r.json();
  if (r.status === 404) throw new Missing(body.error);
  if (!r.ok) throw new Error(body.error || r.statusText);
  return body;
}

// listen calls take with each new event until the signal ends it. It comes back
// by itself, from where it was.
async function listen(params, after, take, signal, state) {
  let wait = 500;
  while (!signal.aborted) {
    try {
      const r = await fetch('/api/stream' + query({...params, after: String(after)}), {headers: headers(), signal});
      if (r.status === 401) throw new Refused();
      if (!r.ok || !r.body) throw new Error(r.statusText);
      state(true);
      wait = 500;
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        const parts = (rest + value).split('\n\n');
        rest = parts.pop();
        for (const p of parts) {
          const line = p.split('\n').find((l) => l.startsWith('data: '));
          if (!line) continue;
          const e = JSON.parse(line.slice(6));
          after = e.seq;
          take(e);
        }
      }
    } catch (err) {
      if (signal.aborted) return;
      if (err instanceof Refused) { refused(); return; }
    }
    if (signal.aborted) return;
    state(false);
    await new Promise((ok) => setTimeout(ok, wait));
    wait = Math.min(wait * 2, 10000);
  }
}

// matches filters a report's events as the API filters a store's.
function matches(x, p) {
  const e = x.event;
  const code = e.event.code || '';
  if (p.family && e.im?.family !== p.family) return false;
  if (p.user && e.user?.id !== p.user) return false;
  if (p.level && LEVELS.indexOf(e.log.level) < LEVELS.indexOf(p.level)) return false;
  if (p.code && code !== p.code && e.error?.code !== p.code && (e.error?.type || '').toLowerCase() !== p.code.toLowerCase()) return false;
  const text = (p.q || '').toLowerCase();
  return !text || (e.event.original || '').toLowerCase().includes(text) || (e.log.file?.path || '').toLowerCase().includes(text);
}

function fromReport(path, p) {
  switch (path) {
    case 'overview': return REPORT.overview;
    case 'status': return REPORT;
    case 'list': {
      const before = Number(p.before) || Infinity;
      const all = REPORT.events.filter((x) => x.seq < before && matches(x, p)).reverse();
      const limit = Number(p.limit) || 100;
      const events = all.slice(0, limit);
      return {events, before: all.length > limit ? events[limit - 1].seq : 0, last: REPORT.events.length};
    }
    case 'event': {
      const x = REPORT.events.find((e) => p.seq ? e.seq === Number(p.seq) : e.event.event.id.startsWith(p.id));
      if (!x) throw new Missing();
      return x;
    }
    case 'code': {
      const pages = REPORT.pages[p.family + '/' + p.code];
      if (!pages) throw new Missing();
      return pages;
    }
    case 'find': {
      const q = p.q.toLowerCase();
      return Object.values(REPORT.pages).flat().filter((x) => [x.en.code, x.en.symbol, x.en.title, x.zh.title, x.en.family + '/' + x.en.code].some((s) => (s || '').toLowerCase().includes(q)))
        .map((x) => ({family: x.en.family, code: x.en.code, symbol: x.en.symbol, level: x.en.level, title: x.en.title, title_zh: x.zh.title}));
    }
  }
  throw new Missing();
}
