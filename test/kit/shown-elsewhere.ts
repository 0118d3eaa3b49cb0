/** Fields of Istio that matter, but not to what is compiled. */

/** A test that shows a field: its file, and words of its name. */
export interface Shown {
  readonly file: string;
  readonly words: string;
}

const JOINED = 'services/agent/src/discover/joined-workloads.test.ts';
const SERVED: Shown = { file: JOINED, words: 'serves what selects it, at the port of the template' };
const PROBES = 'services/cli/src/proxy/probe/probes.test.ts';
const WHOLE: Shown = { file: 'test/feature/workload-group.test.ts', words: 'serve while their probe succeeds, and nobody else does' };
const PLAN: Shown = { file: 'services/cli/src/proxy/probe/readiness.test.ts', words: 'is what the probe says' };

/** By `KIND PATH`. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, Shown>> = {
  'Telemetry tracing.customTags.*.formatter.value': {
    file: 'test/behaviour/telemetry-tracing.test.ts',
    words: 'tags are literals, headers, environment variables and formats',
  },
  'WorkloadGroup metadata.annotations': { file: JOINED, words: 'is checked as an annotation of its group says' },
  'WorkloadGroup metadata.labels': { file: JOINED, words: 'gives the machine what the group says, before what it claims itself' },
  'WorkloadGroup probe.exec.command': { file: PROBES, words: 'is ready when the command ends with 0' },
  'WorkloadGroup probe.failureThreshold': PLAN,
  'WorkloadGroup probe.grpc.port': { file: PROBES, words: 'of %j: %s' },
  'WorkloadGroup probe.grpc.service': { file: PROBES, words: 'of %j: %s' },
  'WorkloadGroup probe.httpGet.host': { file: PROBES, words: 'asks another host where it names one' },
  'WorkloadGroup probe.httpGet.httpHeaders.name': WHOLE,
  'WorkloadGroup probe.httpGet.httpHeaders.value': WHOLE,
  'WorkloadGroup probe.httpGet.path': WHOLE,
  'WorkloadGroup probe.httpGet.port': WHOLE,
  'WorkloadGroup probe.httpGet.scheme': { file: PROBES, words: 'speaks TLS without verifying anybody' },
  'WorkloadGroup probe.initialDelaySeconds': PLAN,
  'WorkloadGroup probe.periodSeconds': PLAN,
  'WorkloadGroup probe.successThreshold': PLAN,
  'WorkloadGroup probe.tcpSocket.host': { file: PROBES, words: 'connects' },
  'WorkloadGroup probe.tcpSocket.port': { file: PROBES, words: 'connects' },
  'WorkloadGroup probe.timeoutSeconds': PLAN,
  'WorkloadGroup template.locality': SERVED,
  'WorkloadGroup template.network': { file: JOINED, words: 'is published where it is another; its addresses are not checked from here' },
  'WorkloadGroup template.ports': SERVED,
  'WorkloadGroup template.serviceAccount': { file: JOINED, words: 'another account' },
  'WorkloadGroup template.weight': SERVED,
};

/** Fields without an effect, in Istio too: labels by which people tell ports apart. */
export const NAMES_FOR_PEOPLE: ReadonlySet<string> = new Set(['Sidecar egress.port.name', 'Sidecar ingress.port.name']);
