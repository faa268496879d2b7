/** The names that a notebook gives its filters. */

/**
 * The cell that pulls an image, under a name that nothing in the notebook has: NAME, else NAME_2 and so on.
 * `filters` are the names of its filters, `sources` the texts of its cells.
 */
export function withFreeName(pull: string, filters: readonly string[], sources: readonly string[]): string {
  const wanted = /--as (\w+)/.exec(pull)?.[1];
  if (wanted === undefined) {
    return pull;
  }
  const taken = new Set(filters.map(each => each.replaceAll('-', '_')));
  for (const source of sources) {
    for (const [, pulled, assigned = ''] of source.matchAll(/--as[\s=]+(\w+)|^(\w+)\s*=(?!=)/gm)) {
      taken.add(pulled ?? assigned);
    }
  }
  let name = wanted;
  for (let number = 2; taken.has(name); number++) {
    name = `${wanted}_${number}`;
  }
  return pull.replace(`--as ${wanted}`, `--as ${name}`);
}
