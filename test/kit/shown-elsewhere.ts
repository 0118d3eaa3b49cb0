/** Fields of Istio that matter, but not to what is compiled. */

/** A test that shows a field: its file, and words of its name. */
export interface Shown {
  readonly file: string;
  readonly words: string;
}

const JOINED = 'services/agent/src/discover/joined-workloads.test.ts';
const SERVED: Shown = { file: JOINED, words: 'serves what selects it, at the port of the template, and is checked as the probe says' };

/** By `KIND PATH`. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, Shown>> = {
  'Telemetry tracing.customTags.*.formatter.value': {
    file: 'test/behaviour/telemetry-tracing.test.ts',
    words: 'tags are literals, headers, environment variables and formats',
  },
  'WorkloadGroup metadata.annotations': { file: JOINED, words: 'is checked as an annotation of its group says' },
  'WorkloadGroup metadata.labels': { file: JOINED, words: 'gives the machine what the group says, before what it claims itself' },
  'WorkloadGroup probe.httpGet.path': SERVED,
  'WorkloadGroup probe.httpGet.port': SERVED,
  'WorkloadGroup probe.tcpSocket.port': { file: JOINED, words: 'is checked at the port of a TCP probe' },
  'WorkloadGroup template.locality': SERVED,
  'WorkloadGroup template.ports': SERVED,
  'WorkloadGroup template.serviceAccount': { file: JOINED, words: 'another account' },
  'WorkloadGroup template.weight': SERVED,
};

/** Fields without an effect, in Istio too: labels by which people tell ports apart. */
export const NAMES_FOR_PEOPLE: ReadonlySet<string> = new Set(['Sidecar egress.port.name', 'Sidecar ingress.port.name']);
