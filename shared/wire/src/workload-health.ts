/**
 * What a machine of a WorkloadGroup and its agents say to each other: one gRPC stream, bytes of JSON, at the agent's xDS door and by the
 * proxy's token. The agent gives the probe of the group, the machine makes it, as Istio's agent does, and says what came of it.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** The method, both ways streaming. */
export const WORKLOAD_HEALTH_PATH = '/hawser.agent.v1alpha1.WorkloadHealth/Watch';

/** Machine → agent: first who it is, later only that its health changed. */
export const WorkloadReport = Type.Object({
  name: Type.String({ maxLength: 253 }),
  address: Type.String({ maxLength: 45 }),
  group: Type.String({ maxLength: 63 }),
  /** What the probe decided; not there until it did. */
  ready: Type.Optional(Type.Boolean()),
});
export type WorkloadReport = Static<typeof WorkloadReport>;

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });
const Count = Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 }));

/** The probe of a WorkloadGroup, by its fields: one of the first four. Times in seconds; 0 is the default of Kubernetes. */
export const WorkloadProbe = Type.Object({
  exec: Type.Optional(Type.Object({ command: Type.Array(Type.String(), { minItems: 1 }) })),
  grpc: Type.Optional(Type.Object({ port: Type.Optional(Port), service: Type.Optional(Type.String()) })),
  httpGet: Type.Optional(
    Type.Object({
      host: Type.Optional(Type.String()),
      httpHeaders: Type.Optional(Type.Array(Type.Object({ name: Type.Optional(Type.String()), value: Type.Optional(Type.String()) }))),
      path: Type.Optional(Type.String()),
      port: Port,
      scheme: Type.Optional(Type.String()),
    }),
  ),
  tcpSocket: Type.Optional(Type.Object({ host: Type.Optional(Type.String()), port: Port })),
  failureThreshold: Count,
  initialDelaySeconds: Count,
  periodSeconds: Count,
  successThreshold: Count,
  timeoutSeconds: Count,
});
export type WorkloadProbe = Static<typeof WorkloadProbe>;

/** Agent → machine: the probe of its group; none where the group has none, or is not there. */
export const WorkloadInstruction = Type.Object({ probe: Type.Optional(WorkloadProbe) });
export type WorkloadInstruction = Static<typeof WorkloadInstruction>;

const report = Compile(WorkloadReport);
const instruction = Compile(WorkloadInstruction);

/** The report that bytes are; undefined when they are none. */
export function workloadReportIn(bytes: Uint8Array): WorkloadReport | undefined {
  const value = jsonIn(bytes);
  return report.Check(value) ? value : undefined;
}

/** The instruction that bytes are; undefined when they are none. */
export function workloadInstructionIn(bytes: Uint8Array): WorkloadInstruction | undefined {
  const value = jsonIn(bytes);
  return instruction.Check(value) ? value : undefined;
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
