const OWN = 'targets are of the own namespace of a policy';

/** What policies that target services refuse of their targets, and why. */
export const OWN_TARGETS: Readonly<Record<string, string>> = { 'targetRef.namespace': OWN, 'targetRefs.namespace': OWN };
