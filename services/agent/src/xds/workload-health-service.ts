/** Machines of WorkloadGroups beside ADS: they are given the probe of their group and say how they are (`shared/wire`). */
import { isIP } from 'node:net';
import { type ServerDuplexStream, type ServiceDefinition, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { WORKLOAD_HEALTH_PATH, type WorkloadReport, workloadReportIn } from '@hawser/wire/workload-health.ts';
import type { ReadinessWatch, WorkloadReadiness } from '../discover/workload-readiness.ts';
import { authenticateCall, StreamRefusal } from './ads-call.ts';
import type { ProxyGate, ProxyIdentity } from './proxy-gate.ts';
import { FIRST_REQUEST_MS, MAX_STREAMS, onExpiry } from './stream-limits.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

const raw = (bytes: Buffer): Buffer => bytes;

/** The service as grpc-js registers it. */
export const WORKLOAD_HEALTH_SERVICE: ServiceDefinition = {
  watch: {
    path: WORKLOAD_HEALTH_PATH,
    requestStream: true,
    responseStream: true,
    ...{ requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw },
  },
};

/** Reports of a machine are few; one that says more is cut off. */
const MAX_REPORT_BYTES = 4096;

/** Serves the machines whose tokens the gate believes. */
export function workloadHealthHandlers(readiness: WorkloadReadiness, gate: ProxyGate): UntypedServiceImplementation {
  return {
    watch: (call: Call) => {
      call.on('error', () => undefined);
      authenticateCall(call, gate).then(
        (identity) => serve(call, identity, readiness),
        (error: unknown) => refuse(call, error),
      );
    },
  };
}

function serve(call: Call, identity: ProxyIdentity, readiness: WorkloadReadiness): void {
  let watch: ReadinessWatch | undefined;
  const late = setTimeout(() => refuse(call, new StreamRefusal('malformed', 'nothing was said in time')), FIRST_REQUEST_MS);
  const stopWaiting = onExpiry(identity.expiresAt, (refusal) => refuse(call, refusal));
  const close = (): void => {
    clearTimeout(late);
    stopWaiting();
    watch?.close();
  };
  call.on('data', (bytes: Buffer) => {
    try {
      const report = reportIn(bytes, identity);
      clearTimeout(late);
      watch ??= begin(call, { identity, report }, readiness);
      watch.heard(report);
    } catch (error) {
      refuse(call, error);
    }
  });
  call.on('end', () => call.end());
  for (const over of ['end', 'error', 'cancelled', 'close']) call.on(over, close);
}

function begin(
  call: Call,
  { identity, report }: { readonly identity: ProxyIdentity; readonly report: WorkloadReport },
  readiness: WorkloadReadiness,
): ReadinessWatch {
  const { namespace, serviceAccount } = identity;
  const { name, address, group } = report;
  const machine = { name, address, namespace, serviceAccount };
  if (readiness.streamsOf(machine) >= MAX_STREAMS) throw new StreamRefusal('exhausted', `${name} has ${MAX_STREAMS} streams already`);
  return readiness.watch(machine, group, (probe) => {
    call.write(Buffer.from(JSON.stringify(probe === undefined ? {} : { probe })));
  });
}

function reportIn(bytes: Buffer, identity: ProxyIdentity): WorkloadReport {
  if (bytes.length > MAX_REPORT_BYTES) throw new StreamRefusal('exhausted', `a report has at most ${MAX_REPORT_BYTES} bytes`);
  const report = workloadReportIn(bytes);
  if (report === undefined || isIP(report.address) === 0)
    throw new StreamRefusal('malformed', 'expected {"name", "address", "group", "ready"?}');
  if (identity.name !== undefined && identity.name !== report.name)
    throw new StreamRefusal('denied', `name is "${report.name}", but the token is for "${identity.name}"`);
  return report;
}

function refuse(call: Call, error: unknown): void {
  const code = error instanceof StreamRefusal ? error.code : status.INVALID_ARGUMENT;
  call.emit('error', { code, details: messageOf(error) });
}
