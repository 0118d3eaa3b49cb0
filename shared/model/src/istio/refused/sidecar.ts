const TARGET = 'Istio deprecated it and reads it nowhere in a Sidecar: number alone counts';

/** Fields of Sidecar that are refused, and why. */
export const SIDECAR: Readonly<Record<string, string>> = { 'egress.port.targetPort': TARGET, 'ingress.port.targetPort': TARGET };
