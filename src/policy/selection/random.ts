/**
 * Any of the nodes, each with the same probability.
 *
 * @param nodes at least one
 * @param random returns a number in [0, 1), as `Math.random` does
 */
export function randomNode(nodes: readonly string[], random: () => number): string {
  return nodes[Math.floor(random() * nodes.length)]!;
}
