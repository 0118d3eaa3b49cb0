const TUNNEL = 'a tunnel of its own choice is not built; what leads out of a cluster is tunnelled by Hawser itself';
const REMOVED = 'it was removed from Istio; write consecutive5xxErrors instead';

/** Where a traffic policy may be, its ports' settings among them. */
const POLICIES = ['trafficPolicy', 'subsets.trafficPolicy'];
const PLACES = POLICIES.flatMap((place) => [place, `${place}.portLevelSettings`]);

/** Fields of DestinationRule that are refused, and why. */
export const DESTINATION_RULE: Readonly<Record<string, string>> = {
  ...everywhere(POLICIES, ['tunnel'], TUNNEL),
  ...everywhere(PLACES, ['outlierDetection.consecutiveErrors'], REMOVED),
};

function everywhere(places: readonly string[], fields: readonly string[], reason: string): Record<string, string> {
  return Object.fromEntries(places.flatMap((place) => fields.map((field) => [`${place}.${field}`, reason])));
}
