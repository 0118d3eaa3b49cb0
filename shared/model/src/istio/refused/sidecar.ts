const TARGET = 'Istio deprecated it, and a Sidecar says nothing by it: number alone counts';

/** Fields of Sidecar that are refused, and why. */
export const SIDECAR: Readonly<Record<string, string>> = { 'egress.port.targetPort': TARGET, 'ingress.port.targetPort': TARGET };
