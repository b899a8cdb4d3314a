import { mix, murmurHash } from "./murmur-hash.ts";

/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): every node gets a score from its name and the key, and the highest
 * score wins the key. The same key stays on its node whatever the order of the nodes, and when a node goes, only its
 * keys move.
 *
 * @param nodes at least one
 */
export function rendezvousNode(nodes: readonly string[], key: string): string {
  const keyHash = murmurHash(key);
  let best = nodes[0]!;
  let bestScore = -1;
  for (const node of nodes) {
    const score = mix(keyHash ^ murmurHash(node));
    // The name decides between equal scores, so that the order of the nodes never matters.
    if (score > bestScore || (score === bestScore && node > best)) {
      best = node;
      bestScore = score;
    }
  }
  return best;
}
