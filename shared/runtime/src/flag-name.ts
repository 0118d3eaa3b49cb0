/** `--proxy-user` of `proxyUser`: the flag on the command line that sets an option. */
export function flagName(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
