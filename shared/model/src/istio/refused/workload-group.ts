const OUTSIDE = 'an agent checks the machines of its cluster from outside, every second, and needs two failures or one success';
const UNCHECKED = 'an agent checks by TCP and HTTP alone: write httpGet or tcpSocket';

/** Fields of WorkloadGroup that are refused, and why. */
export const WORKLOAD_GROUP: Readonly<Record<string, string>> = {
  'probe.exec': 'an agent runs no commands on other machines: write httpGet or tcpSocket',
  'probe.failureThreshold': OUTSIDE,
  'probe.grpc': UNCHECKED,
  'probe.httpGet.host': OUTSIDE,
  'probe.httpGet.httpHeaders': UNCHECKED,
  'probe.httpGet.scheme': UNCHECKED,
  'probe.initialDelaySeconds': OUTSIDE,
  'probe.periodSeconds': OUTSIDE,
  'probe.successThreshold': OUTSIDE,
  'probe.tcpSocket.host': OUTSIDE,
  'probe.timeoutSeconds': OUTSIDE,
  'template.address': 'it is each member’s own, given when it joins',
  'template.labels': 'a template cannot have labels (Istio): write them into metadata.labels',
  'template.network': 'a machine is in the network of the cluster whose agent its sidecar is connected to',
};
