// The live page: asks for the overview every two seconds and draws what changed. No framework, no build.
const POLL_MS = 2000;
const $ = (id) => document.getElementById(id);
const STATES = { KNOWN: ['● connected', 'good'], STALE: ['▲ silent', 'bad'], UNKNOWN: ['○ not heard yet', 'warn'] };

let token = sessionStorage.getItem('hawser-token') ?? '';
let from = '';
let drawn = '';
let latest;

/** An element with properties and children; text children are set as text, never as markup. */
function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const pair = (name, value, tone) => el('div', {}, el('dt', {}, name), el('dd', tone ? { className: tone } : {}, value));
const pill = (text, tone, properties = {}) => el('span', { className: `pill ${tone}`, ...properties }, text);

function ago(time) {
  if (time === '') return 'never';
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

function drawHub({ hub }) {
  const unsent = hub.revision - hub.published;
  $('hub').replaceChildren(
    pair('Revision', String(hub.revision)),
    pair('On the bus', unsent > 0 ? `${unsent} waiting` : 'all'),
    pair('PostgreSQL', hub.database ? 'connected' : 'down'),
    pair('NATS', hub.bus ? 'connected' : 'down'),
    pair('Version', hub.version),
  );
}

/** The one line that says why the fleet is not green. */
function drawVerdict({ hub, clusters }) {
  const bad = [
    ...(hub.database ? [] : ['PostgreSQL is not reachable: policy cannot change; traffic goes on']),
    ...(hub.bus ? [] : ['NATS is not reachable: agents serve what they last knew']),
    ...clusters.filter((one) => one.state === 'STALE').map((one) => `${one.name} is silent: last heard ${ago(one.lastHeardAt)}`),
    ...clusters
      .filter((one) => one.proxies.nacked > 0)
      .map((one) => `${one.name}: ${one.proxies.nacked} proxies reject their configuration`),
  ];
  const late = clusters.filter(
    (one) => one.state === 'KNOWN' && (one.proxies.synced < one.proxies.connected || one.revision < hub.revision),
  );
  const node = $('verdict');
  node.hidden = false;
  if (clusters.length === 0) {
    node.className = 'verdict warn';
    node.textContent = 'No cluster has joined yet: hawser cluster join NAME --region REGION';
  } else if (bad.length > 0) {
    node.className = 'verdict bad';
    node.textContent = bad.join(' · ');
  } else if (late.length > 0) {
    node.className = 'verdict warn';
    node.textContent = `Programming ${late.map((one) => one.name).join(', ')}…`;
  } else {
    node.className = 'verdict good';
    node.textContent = 'Every cluster is connected and every proxy is in sync.';
  }
}

function drawCluster(one, hub) {
  const [text, tone] = STATES[one.state];
  const { proxies, endpoints } = one;
  const behind = hub.revision - one.revision;
  const place = [one.zone, one.provider].filter((part) => part !== '').join(' · ');
  return el(
    'article',
    { className: 'cluster' },
    el('header', {}, el('div', {}, el('h4', {}, one.name), el('span', { className: 'sub' }, place)), pill(text, tone)),
    el(
      'dl',
      { className: 'facts' },
      pair('Proxies in sync', `${proxies.synced}/${proxies.connected}${proxies.nacked > 0 ? `, ${proxies.nacked} rejecting` : ''}`),
      pair('Endpoints healthy', `${endpoints.healthy}/${endpoints.total}`),
      pair('Services', String(one.services)),
      pair('Revision', behind > 0 ? `${one.revision} (${behind} behind)` : String(one.revision)),
      pair('Agent', one.ready ? 'ready' : 'not ready'),
      pair('Last heard', el('span', { className: 'ago', 'data-time': one.lastHeardAt }, ago(one.lastHeardAt))),
    ),
  );
}

function drawRegions({ hub, clusters }) {
  const regions = Map.groupBy(clusters, (one) => one.region);
  const cards = [...regions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([region, members]) =>
      el('div', { className: 'region' }, el('h3', {}, `Region ${region}`), ...members.map((one) => drawCluster(one, hub))),
    );
  $('regions').replaceChildren(...(cards.length > 0 ? cards : [el('p', { className: 'empty' }, 'No cluster has joined.')]));
}

/** Where the requests of the chosen cluster go: a share of the first choice, or a place in the line behind it. */
function planOf(localities, cluster) {
  const mine = localities.find((one) => one.cluster === cluster);
  if (mine === undefined) return undefined;
  const level = localities.filter((one) => one.priority === mine.priority);
  const share = Math.round((100 * mine.weight) / level.reduce((sum, one) => sum + one.weight, 0));
  if (mine.priority === 0) return { text: `${share} %`, tone: 'good' };
  return { text: `standby ${mine.priority}`, tone: 'plain' };
}

function drawCell(service, localities, cluster) {
  const have = service.cells.find((one) => one.cluster === cluster.name);
  if (have === undefined) return el('td', { className: 'none' }, '–');
  const plan = planOf(localities, cluster.name);
  const tone = have.healthy === have.endpoints ? 'good' : have.healthy === 0 ? 'bad' : 'warn';
  const mark = tone === 'good' ? '' : ' ▲';
  return el(
    'td',
    {},
    pill(`${have.healthy}/${have.endpoints}${mark}`, tone, { title: `${have.healthy} of ${have.endpoints} endpoints healthy` }),
    ...(plan === undefined ? [] : [el('span', { className: 'share' }, plan.text)]),
  );
}

function drawServices({ clusters, services }) {
  if (!clusters.some((one) => one.name === from)) from = clusters[0]?.name ?? '';
  const select = $('from');
  const names = clusters.map((one) => one.name).join();
  if (select.dataset.names !== names) {
    select.dataset.names = names;
    select.replaceChildren(...clusters.map((one) => el('option', { value: one.name }, one.name)));
  }
  select.value = from;
  const head = el('tr', {}, el('th', { scope: 'col' }, 'Service'), ...clusters.map((one) => el('th', { scope: 'col' }, one.name)));
  const rows = services.map((service) => {
    const localities = service.answers.find((one) => one.from === from)?.localities ?? [];
    const [namespace, name] = service.service.split('/');
    const title = el('th', { scope: 'row' }, name, el('small', {}, namespace));
    return el('tr', {}, title, ...clusters.map((one) => drawCell(service, localities, one)));
  });
  if (rows.length === 0)
    rows.push(el('tr', {}, el('td', { className: 'none', colSpan: clusters.length + 1 }, 'No cluster exports a service yet.')));
  $('services').replaceChildren(el('thead', {}, head), el('tbody', {}, ...rows));
}

function drawWarnings({ clusters }) {
  const all = clusters.flatMap((one) => one.warnings.map((warning) => ({ cluster: one.name, ...warning })));
  const items = all
    .sort((a, b) => (a.at < b.at ? 1 : -1))
    .slice(0, 50)
    .map(({ at, cluster, place, message }) =>
      el('li', {}, message, el('small', {}, `${cluster} · ${place} · ${new Date(at).toLocaleString()}`)),
    );
  $('warnings').replaceChildren(...(items.length > 0 ? items : [el('li', { className: 'empty' }, 'None.')]));
}

function draw(answer) {
  latest = answer;
  const { clusters, ...rest } = answer;
  const text = JSON.stringify([from, rest, clusters.map(({ lastHeardAt, ...one }) => one)]);
  if (text !== drawn) {
    drawHub(answer);
    drawRegions(answer);
    drawServices(answer);
    drawWarnings(answer);
    drawn = JSON.stringify([from, rest, clusters.map(({ lastHeardAt, ...one }) => one)]);
  }
  drawVerdict(answer);
  const heard = new Map(clusters.map((one) => [one.name, one.lastHeardAt]));
  for (const card of document.querySelectorAll('.cluster')) {
    card.querySelector('.ago').textContent = ago(heard.get(card.querySelector('h4').textContent) ?? '');
  }
}

function setLink(text, isStale) {
  if ($('link').textContent !== text) $('link').textContent = text;
  document.body.classList.toggle('stale', isStale);
}

async function ask() {
  const options = { cache: 'no-store', signal: AbortSignal.timeout(5000) };
  if (token === '') {
    const response = await fetch('/page/overview', options);
    if (response.status !== 401) return response;
    // The session ends with the hub's process; on the hub's machine the page itself brings a new one.
    await fetch('/', options);
    return await fetch('/page/overview', options);
  }
  return await fetch('/hawser/v1/overview', { ...options, headers: { authorization: `Bearer ${token}` } });
}

async function refresh() {
  try {
    const response = await ask();
    const needsToken = response.status === 401 || response.status === 403;
    $('token-form').hidden = !needsToken;
    if (needsToken) {
      setLink(token === '' ? 'A token is needed' : 'The token is not accepted', true);
    } else if (response.ok) {
      draw(await response.json());
      setLink('Live', false);
    } else setLink(`The hub answers with ${response.status}`, true);
  } catch {
    setLink('The hub is not reachable', true);
  }
}

async function run() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

$('from').addEventListener('change', (event) => {
  from = event.target.value;
  if (latest !== undefined) draw(latest);
});
$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  sessionStorage.setItem('hawser-token', token);
  void refresh();
});
document.addEventListener('visibilitychange', () => !document.hidden && void refresh());
void run();
