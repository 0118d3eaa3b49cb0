/** Types of bundled-packages.mjs. */
export function bundleFolder(): string;
export function bundleMissing(): boolean;
export function bundledPackages(): ReadonlyMap<string, string>;
export function useBundledPackages(): void;
