'use strict';
// Test stand-in for Firebase Realtime Database: REST + SSE (+ the SDK WebSocket protocol) on loopback only.
// Data engine: npm firebase-server 1.1.0 = Google's JS SDK kept offline; rules engine: targaryen 3.1.0.
// Whatever is asked is appended to REQUEST_LOG, if set: method, path and body, the token left out (it must be nowhere else).
// env: PORT (0 = any), CERT+KEY (absent = plain http), RULES (file), TOKENS (json: token -> "admin" | {uid, token:{..claims}}),
//      KEEPALIVE_MS, EMULATOR_OWNER=1 (accept "Bearer owner", what firebase-admin sends to an emulator)
const fs = require('fs'), http = require('http'), https = require('https'), crypto = require('crypto');
const FirebaseServer = require('firebase-server');
const E = process.env, KEEP = +(E.KEEPALIVE_MS || 30000), MAX = 1 << 20;
const tokens = JSON.parse(E.TOKENS || '{}'), RULES = E.RULES ? JSON.parse(fs.readFileSync(E.RULES, 'utf8')) : null;
const OPEN = { rules: { '.read': true, '.write': true } };
const fbs = new FirebaseServer({ port: 0, host: '127.0.0.1' }, 'localhost', {});
if (RULES) fbs.setRules(RULES);
const at = p => (p ? fbs.baseRef.child(p) : fbs.baseRef), snapOf = q => new Promise(r => q.once('value', r));
let NOW = 0; const now = () => NOW || Date.now();       // ONE clock reading per write, shared by .sv and by the rules' `now`
const bad = (m, code = 400) => Object.assign(new Error(m), { code });
const canon = v => v && typeof v === 'object' ? (Array.isArray(v) ? v.map(canon) : Object.fromEntries(Object.keys(v).sort().map(k => [k, canon(v[k])]))) : v;
const etag = v => v === null ? 'null_etag' : crypto.createHash('sha1').update(JSON.stringify(canon(v))).digest('base64');
function sv(v, cur) {                                    // server values
  if (!v || typeof v !== 'object' || Array.isArray(v)) return v;
  const t = v['.sv'];
  if (t === 'timestamp') return now();
  if (t && typeof t === 'object' && 'increment' in t) return (typeof cur === 'number' ? cur : 0) + t.increment;
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, sv(x, cur && cur[k])]));
}
const BADKEY = /[.$#\[\]\/\x00-\x1f\x7f]/, INVALID = "Invalid data; couldn't parse JSON object, array, or value.";
function checkData(v, depth = 0) {
  if (depth > 32) throw bad('Invalid data; nested too deep');
  if (v && typeof v === 'object') for (const [k, x] of Object.entries(v)) {
    if (!Array.isArray(v) && (k === '' || (BADKEY.test(k) && !['.sv', '.value', '.priority'].includes(k)) || Buffer.byteLength(k) > 768))
      throw bad(INVALID + " Perhaps you're using invalid characters in your key names.");
    checkData(x, depth + 1);
  }
}
function who(req, q) {
  const t = q.get('auth') || q.get('access_token') || (/^Bearer (.+)$/.exec(req.headers.authorization || '') || [])[1];
  if (!t) return null;
  if (t === 'owner' && E.EMULATOR_OWNER) return 'admin';
  if (!(t in tokens)) throw bad('Could not parse auth token.', 401);
  return tokens[t];
}
function need(auth, kind, path, val) {
  if (!RULES || auth === 'admin') return;
  const db = fbs.targaryen.as(auth), p = path || '/';
  const r = kind === 'read' ? db.read(p) : kind === 'update' ? db.update(p, val, now()) : db.write(p, val, undefined, now());
  if (!r.allowed) throw bad('Permission denied', 401);
}
let current = null;                                      // the write being applied: the SDK raises its local events synchronously
function apply(kind, path, val) {
  if (RULES) {                                           // keep the rules engine's copy of the data in step
    const db = fbs.targaryen.with({ rules: OPEN }), p = path || '/';
    fbs.targaryen = (kind === 'update' ? db.update(p, val, now()) : db.write(p, val, undefined, now())).newDatabase.with({ rules: RULES });
  }
  current = { kind, path, val };
  try { kind === 'update' ? at(path).update(val) : at(path).set(val); } finally { current = null; }
}
const rel = (base, p) => base === p ? '/' : base === '' ? '/' + p : p.startsWith(base + '/') ? p.slice(base.length) : null;
const RANGE = ['startAt', 'endAt', 'equalTo', 'limitToFirst', 'limitToLast'];
function query(ref, q, path) {
  const j = k => { try { return JSON.parse(q.get(k)); } catch (e) { throw bad(k === 'orderBy' ? 'orderBy must be a valid JSON encoded path' : 'Constraint index field must be a JSON primitive'); } };
  for (const k of ['orderBy', ...RANGE]) if (q.getAll(k).length > 1) throw bad(`stand-in: duplicate query parameter ${k}`); // real server: unspecified
  if (!q.has('orderBy')) { if (RANGE.some(k => q.has(k))) throw bad('orderBy must be defined when other query parameters are defined'); return ref; }
  const o = j('orderBy'); if (typeof o !== 'string') throw bad('orderBy must be a valid JSON encoded path');
  if (RULES && !o.startsWith('$')) {
    let n = RULES.rules; for (const s of path.split('/').filter(Boolean)) n = n && (n[s] || n[Object.keys(n).find(k => k[0] === '$')]);
    if (![].concat((n && n['.indexOn']) || []).includes(o)) throw bad(`Index not defined, add ".indexOn": "${o}", for path "/${path}", to the rules`);
  }
  let r = o === '$key' ? ref.orderByKey() : o === '$value' ? ref.orderByValue() : o === '$priority' ? ref.orderByPriority() : ref.orderByChild(o);
  for (const k of RANGE) if (q.has(k)) r = r[k](j(k));
  return r;
}
function stream(res, path, q) {
  const ref = query(at(path), q, path); let first = true;
  res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
  const send = (ev, d) => res.write(`event: ${ev}\ndata: ${JSON.stringify(d)}\n\n`);
  const cb = s => {
    const r = !first && current && !q.has('orderBy') ? rel(path, current.path) : null; first = false;
    if (r !== null) send(current.kind === 'update' ? 'patch' : 'put', { path: r, data: current.val });
    else send('put', { path: '/', data: s.val() });
  };
  ref.on('value', cb);
  const ka = setInterval(() => send('keep-alive', null), KEEP);
  res.on('close', () => { clearInterval(ka); ref.off('value', cb); });
}
const body = req => new Promise((ok, no) => { const b = []; let n = 0; req.on('data', d => { n += d.length; if (n > MAX) no(bad('payload too large', 413)); else b.push(d); }); req.on('end', () => { const t = Buffer.concat(b).toString('utf8'); if (E.REQUEST_LOG) fs.appendFileSync(E.REQUEST_LOG, t + '\n'); ok(t); }); req.on('error', no); });
async function handle(req, res) {
  const [rawPath, qs] = req.url.split('?', 2), q = new URLSearchParams(qs || '');
  const out = (code, v, h = {}) => { res.writeHead(code, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache', ...h }); res.end(v === undefined ? '' : JSON.stringify(v, null, q.get('print') === 'pretty' ? 2 : 0)); };
  if (E.REQUEST_LOG) { const { auth, ...rest } = Object.fromEntries(q); fs.appendFileSync(E.REQUEST_LOG, JSON.stringify({ method: req.method, path: rawPath, query: rest, token: auth ? 'given' : 'none', headers: req.headers }) + '\n'); }
  try {
    if (!rawPath.endsWith('.json')) throw bad('append .json to your request URI to use the REST API.', 404);
    const path = decodeURIComponent(rawPath.slice(0, -5)).split('/').filter(Boolean).join('/');
    if (path.split('/').some(s => BADKEY.test(s))) throw bad('Invalid path: Invalid token in path');
    const auth = who(req, q), m = req.method, silent = q.get('print') === 'silent', tag = v => req.headers['x-firebase-etag'] === 'true' ? { ETag: etag(v) } : {};
    if (m === 'GET') {
      need(auth, 'read', path);
      if ((req.headers.accept || '').includes('text/event-stream')) return stream(res, path, q);
      let v = (await snapOf(query(at(path), q, path))).val();
      if (q.get('shallow') === 'true' && v && typeof v === 'object') v = Object.fromEntries(Object.keys(v).map(k => [k, true]));
      return req.headers['if-none-match'] === etag(v) ? out(304) : out(200, v, tag(v));
    }
    if (!['PUT', 'POST', 'PATCH', 'DELETE'].includes(m)) throw bad('method not allowed', 405);
    let val = null;
    if (m !== 'DELETE') {
      const t = await body(req); if (t === '') throw bad('Error: No data supplied.');
      try { val = JSON.parse(t); } catch (e) { throw bad(INVALID); }
      if (m !== 'PATCH') checkData(val);
      else { if (!val || typeof val !== 'object' || Array.isArray(val)) throw bad(INVALID); for (const [k, x] of Object.entries(val)) { if (k.split('/').some(s => !s || BADKEY.test(s))) throw bad('Invalid path: Invalid token in path'); checkData(x); } }
    }
    const cur = (await snapOf(at(path))).val();          // nothing below awaits, so NOW cannot leak into another request
    NOW = Date.now();
    if (req.headers['if-match'] !== undefined && req.headers['if-match'] !== etag(cur)) return out(412, cur, { ETag: etag(cur) });
    let key, kind = m === 'PATCH' ? 'update' : 'set', p = path;
    if (m === 'POST') { key = at(path).push().key; p = path ? path + '/' + key : key; }
    val = kind === 'update' ? Object.fromEntries(Object.entries(val).map(([k, x]) => [k, sv(x, k.split('/').reduce((a, s) => a && a[s], cur))])) : sv(val, key ? null : cur);
    need(auth, kind === 'update' ? 'update' : 'write', p, val);
    apply(kind, p, val);
    return silent ? out(204) : key ? out(200, { name: key }) : out(200, val, tag(val));
  } catch (e) { if (!e.code) console.error(e); if (!res.headersSent) out(typeof e.code === 'number' ? e.code : 500, { error: e.message }); else res.destroy(); } finally { NOW = 0; }
}
const srv = E.CERT ? https.createServer({ cert: fs.readFileSync(E.CERT), key: fs.readFileSync(E.KEY) }, handle) : http.createServer(handle);
srv.listen(+(E.PORT || 0), '127.0.0.1', () => console.log(`LISTENING ${E.CERT ? 'https' : 'http'}://localhost:${srv.address().port} ws=${fbs.getPort()}`));
for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => process.exit(0));
