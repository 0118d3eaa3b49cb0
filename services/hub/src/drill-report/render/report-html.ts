/** PURE: a report as one HTML file that needs no other, runs nothing, and can be printed. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { type DrillReport, digestOf } from '@hawser/model/drill-report.ts';
import { bandOf } from './chart-frame.ts';
import { colourOf } from './colours.ts';
import { type Markup, markup, type Piece } from './markup.ts';
import {
  checkTable,
  peopleTables,
  scenarioOf,
  serviceTables,
  type Table,
  tilesOf,
  timelineTable,
  timeTables,
  versionTable,
} from './report-facts.ts';
import { REPORT_STYLE } from './report-style.ts';
import { checkChart, weightChart } from './small-charts.ts';
import { failuresChart, requestsChart } from './traffic-charts.ts';
import { destinationsOf } from './traffic-columns.ts';
import { duration, instant } from './words.ts';

/** More charts of single services would not be looked at. */
const MOST_SERVICES = 12;
const WIDE = { width: 1000, height: 270 };
const LOW = { width: 1000, height: 110 };
const SMALL = { width: 400, height: 150 };

/** The file. */
export function reportHtml(report: DrillReport): string {
  const { evidence } = report;
  const page = markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${evidence.outcome}: ${evidence.drill}, ${instant(evidence.createdAt).slice(0, 10)}</title>
<style>STYLE</style></head><body><main>
${head(evidence)}
${phaseSection(evidence)}
${trafficSection(evidence)}
${weightSection(evidence)}
${checkSection(evidence)}
${peopleSection(evidence)}
${section('Timeline', card(timelineTable(evidence)))}
${section('Plan and versions', [planCard(evidence), card(versionTable(evidence))])}
${signatureSection(report)}
</main></body></html>
`;
  // Not through the template: quotes of CSS are not those of text.
  return page.text.replace('STYLE', () => REPORT_STYLE);
}

function head(evidence: DrillEvidence): Markup {
  const { outcome, drill, run, why, trigger, by, reason, createdAt, endedAt } = evidence;
  const tiles = tilesOf(evidence).map(
    ({ name, value, note, isGood }) =>
      markup`<div class="tile"><div class="name">${name}</div><div class="value ${isGood === undefined ? '' : isGood ? 'good' : 'bad'}">${value}</div><div class="note">${note}</div></div>`,
  );
  const asked = trigger === 'schedule' ? 'by its schedule' : `by ${by}`;
  const lasted = duration(Date.parse(endedAt) - Date.parse(createdAt));
  return markup`<header><div><p class="eyebrow">Failover drill report</p><h1>${drill}</h1></div><div class="outcome ${toneOf(outcome)}">${outcome}</div></header>
<p class="why">${why}</p>
<div class="meta"><span><b>${scenarioOf(evidence)}</b></span><span>run <b>${run}</b></span><span>asked for ${asked}, <b>${instant(createdAt)}</b></span><span>took <b>${lasted}</b></span>${reason === '' ? undefined : markup`<span>why: <b>${reason}</b></span>`}</div>
<div class="tiles">${tiles}</div>`;
}

function toneOf(outcome: DrillEvidence['outcome']): string {
  if (outcome === 'Passed') return 'good';
  return outcome === 'Failed' || outcome === 'Aborted' ? 'bad' : 'warn';
}

function section(title: string, content: Piece): Markup {
  return markup`<section><h2>${title}</h2>${content}</section>`;
}

function phaseSection(evidence: DrillEvidence): Markup {
  const [objectives, ...times] = timeTables(evidence).map(card);
  const strip = evidence.phases.map(({ phase, from, to }) => {
    const ms = Date.parse(to) - Date.parse(from);
    // By the logarithm: an hour of waiting for consent must not hide the second in which everything happened.
    return markup`<div class="${bandOf(phase)}" style="flex:${Math.round(Math.log2(2 + ms / 1_000) * 100) / 100}" title="${phase}: ${duration(ms)}">${phase}<br><b>${duration(ms)}</b></div>`;
  });
  return section('Objectives and times', [
    objectives,
    markup`<div class="card"><div class="strip" aria-hidden="true">${strip}</div><p class="soft">Widths go by the logarithm of time.</p></div>`,
    markup`<div class="pair">${times}</div>`,
  ]);
}

function trafficSection(evidence: DrillEvidence): Markup {
  const names = destinationsOf(evidence);
  const legend = names.map(
    (name) => markup`<li><i style="background:${colourOf(evidence, name)}"></i>${name === '' ? 'nowhere' : name}</li>`,
  );
  const isPartial = evidence.traffic.series.some(({ requests }) => requests.includes(null));
  const hint = isPartial ? markup`<li><i style="border:1px dashed var(--soft)"></i>not known of all callers</li>` : undefined;
  const services = [...new Set(evidence.traffic.series.map(({ service }) => service))];
  const each = services.length < 2 || services.length > MOST_SERVICES ? [] : services;
  return section('Traffic', [
    markup`<figure class="card wide"><figcaption>Client requests per second, by the cluster that served them</figcaption>${requestsChart(evidence, { id: 'requests', ...WIDE })}<ul class="legend">${legend}${hint}</ul></figure>`,
    markup`<figure class="card wide"><figcaption>Failed requests per second, as clients saw them</figcaption>${failuresChart(evidence, { id: 'failed', ...LOW })}</figure>`,
    ...serviceTables(evidence).map(card),
    each.length === 0
      ? undefined
      : markup`<div class="pair">${each.map((service, index) => markup`<figure class="card"><h3>${service}</h3>${requestsChart(evidence, { id: `service-${index}`, service, ...SMALL })}</figure>`)}</div>`,
  ]);
}

function weightSection(evidence: DrillEvidence): Markup | undefined {
  const clusters = [...new Set(evidence.weights.map(({ cluster }) => cluster))];
  if (clusters.length === 0) return undefined;
  const charts = clusters.map(
    (name, index) => markup`<figure class="card"><h3>${name}</h3>${weightChart(evidence, name, `weight-${index}`)}</figure>`,
  );
  const key = (kind: string, words: string): Markup =>
    markup`<li><svg viewBox="0 0 26 8" aria-hidden="true"><path class="line ${kind}" d="M0 4H26"/></svg>${words}</li>`;
  const legend = [key('desired', 'to be'), key('acked', 'acknowledged by proxies'), key('observed', 'seen in the traffic')];
  return section('Weights', [markup`<div class="pair">${charts}</div>`, markup`<ul class="legend">${legend}</ul>`]);
}

function checkSection(evidence: DrillEvidence): Markup {
  // One picture of a check, whatever parts of the run it was asked in.
  const byName = Map.groupBy(evidence.checks, ({ name }) => name);
  const charts = [...byName.values()].flatMap((parts, index) => {
    const [check] = parts;
    const samples = parts.flatMap((part) => part.samples).sort((a, b) => (a.at < b.at ? -1 : 1));
    if (check === undefined || samples.length === 0) return [];
    const taken = parts.reduce((total, part) => total + (part.taken ?? part.samples.length), 0);
    const chart = checkChart(evidence, { ...check, samples, taken }, `check-${index}`);
    return [markup`<figure class="card"><h3>${check.name} <span class="soft">${check.condition}</span></h3>${chart}</figure>`];
  });
  return section('Checks', [card(checkTable(evidence)), charts.length === 0 ? undefined : markup`<div class="pair">${charts}</div>`]);
}

/** What nobody said stands side by side. */
function peopleSection(evidence: DrillEvidence): Markup {
  const [said, unsaid] = [true, false].map((isSaid) => peopleTables(evidence).filter(({ rows }) => rows.length > 0 === isSaid));
  return section('People', [(said ?? []).map(card), unsaid?.length ? markup`<div class="pair">${unsaid.map(card)}</div>` : undefined]);
}

function planCard({ spec, specHash, scenario }: DrillEvidence): Markup {
  return markup`<div class="card tall"><h3>Spec of the drill when the run began</h3><pre>${JSON.stringify(spec, null, 2)}</pre><p class="soft">Services in the blast radius: ${scenario.services.join(', ')}.<br>Hash of the spec: <code>${specHash}</code></p></div>`;
}

function signatureSection({ statement, signature }: DrillReport): Markup {
  return section(
    'Signature',
    markup`<div class="card"><dl><dt>Digest of the report</dt><dd><code>${digestOf(statement)}</code></dd><dt>Signed with</dt><dd><code>${signature.algorithm} ${signature.keyId}</code></dd></dl>
<p class="soft">This page is a view of the signed report. The report itself is JSON: <code>hawser drill report RUN --format json -o FILE</code>; <code>hawser drill verify FILE</code> says whether it is as it was signed, without a hub.</p></div>`,
  );
}

function card({ caption, head: columns, numbers = [], rows, none }: Table): Markup {
  if (rows.length === 0) return markup`<div class="card"><h3>${caption}</h3><p class="soft">${none ?? 'None.'}</p></div>`;
  const classOf = (index: number): string => (numbers.includes(index) ? 'n' : columns[index]?.startsWith('Time') === true ? 'time' : '');
  const body = rows.map((row) => {
    const cells = row.map((text, index) =>
      index === 0 && classOf(0) === ''
        ? markup`<th scope="row">${text}</th>`
        : markup`<td class="${classOf(index)} ${toneOfWord(text)}">${text}</td>`,
    );
    return markup`<tr>${cells}</tr>`;
  });
  const titles = columns.map((title, index) => markup`<th scope="col" class="${classOf(index) === 'n' ? 'n' : ''}">${title}</th>`);
  return markup`<div class="card${rows.length > 12 ? ' tall' : ''}"><div class="scroll"><table><caption>${caption}</caption><thead><tr>${titles}</tr></thead><tbody>${body}</tbody></table></div></div>`;
}

const TONES: Readonly<Record<string, string>> = {
  met: 'good',
  passed: 'good',
  approved: 'good',
  missed: 'bad',
  denied: 'bad',
  'not known': 'warn',
};

function toneOfWord(text: string): string {
  return Object.hasOwn(TONES, text) ? (TONES[text] ?? '') : '';
}
