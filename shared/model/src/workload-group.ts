/** The label by which a sidecar names the WorkloadGroup of its own namespace that it joins. */
export const WORKLOAD_GROUP_LABEL = 'hawser.dev/workload-group';
