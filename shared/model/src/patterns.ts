/** Patterns of texts that many kinds have, for schemas; `validate-schema` says each in words. */

/** RFC 1123 label, as Kubernetes names namespaces and clusters. */
export const LABEL_PATTERN = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$';
/** A Go duration such as `90s` or `1m30s`. */
export const DURATION_PATTERN = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$';
/** `NAMESPACE/SERVICE`. */
export const SERVICE_KEY_PATTERN = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$';
