/** Fields of WorkloadGroup that are refused, and why. */
export const WORKLOAD_GROUP: Readonly<Record<string, string>> = {
  'template.address': 'a template has no address (Istio): it is each member’s own, given when it joins',
  'template.labels': 'a template cannot have labels (Istio): write them into metadata.labels',
};
