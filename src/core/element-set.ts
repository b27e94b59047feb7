/**
 * The set: one dotted sibling for each element, whose value is the element as the client's codec encoded it. Elements are
 * equal when their bytes are.
 *
 * An observed-remove set (A. Bieniusa et al., "An optimized conflict-free replicated set", 2012): an add
 * supersedes the dots of the same element that its coordinator holds; a remove takes away those that its context has
 * seen, and leaves a dot in the record's context without a sibling. An add that the remover had not seen stays.
 *
 * An add that was retried elsewhere has a twin for each element. One whose counterpart is superseded is hidden, and the next
 * write takes it away: else what was removed would come back when the twin does. But an add takes the place of others of the same element,
 * whether it has seen them or not: of two that were both retried, each can have taken the other's, at one coordinator each. Then nobody
 * removed the element, and it stays.
 */
import { RECENT_OPERATIONS_MAX } from './limits.js';
import {
  closedQuestions,
  sameOperation,
  type CausalContext,
  type KeyRecord,
  type Sibling,
} from './record.js';
import { covers, sameDot } from './version-vector.js';

/** Each element once, under its latest dot, in the order of dots. */
export function viewElements(record: KeyRecord): Sibling[] {
  const latest = new Map<string, Sibling>();
  for (const sibling of withoutSuperseded(record)) {
    if (sibling.value === null) continue;
    const name = elementName(sibling.value);
    const other = latest.get(name);
    if (other !== undefined && other.hlc > sibling.hlc) continue;
    latest.delete(name);
    latest.set(name, sibling);
  }
  return [...latest.values()];
}

/** The siblings that an add of `elements` stands beside: those of all other elements. */
export function besideAdded(record: KeyRecord, elements: readonly Uint8Array[]): Sibling[] {
  const added = new Set(elements.map(elementName));
  return withoutSuperseded(record).filter(({ value }) => value === null || !added.has(elementName(value)));
}

/** The siblings that a remove by someone who had seen `seen` leaves. `elements` of null removes all of them. */
export function besideRemoved(
  record: KeyRecord,
  elements: readonly Uint8Array[] | null,
  seen: CausalContext,
): Sibling[] {
  const removed = elements === null ? null : new Set(elements.map(elementName));
  return withoutSuperseded(record).filter(({ dot, value }) => {
    const observed = covers(seen.vector, dot) || seen.dots.some((d) => sameDot(d, dot));
    return !observed || (removed !== null && (value === null || !removed.has(elementName(value))));
  });
}

/**
 * The siblings, less twins of what is superseded. The dots of one add travel together, so a record that knows one of another
 * incarnation's has seen all of them: an element that it holds under none of them was removed since, or added again. So it was
 * where a closed question tells of a twin that is forgotten, unless the twin's element is still here.
 */
function withoutSuperseded(record: KeyRecord): readonly Sibling[] {
  const known = [...record.siblings, ...record.recentOperations];
  const retried = known.filter((entry) => entry.retried === true);
  const askedAbout = record.questions?.some((question) => question.closed === true) ?? false;
  if (retried.length === 0 && !askedAbout) return record.siblings;
  const sameElement = (a: Sibling, b: Sibling): boolean =>
    (a.value === null ? null : elementName(a.value)) === (b.value === null ? null : elementName(b.value));
  const isTwinOfForgotten = (sibling: Sibling): boolean =>
    closedQuestions(record, sibling.operation).some(
      ({ dot }) =>
        dot.incarnation === sibling.dot.incarnation &&
        !record.siblings.some(
          (s) =>
            s.dot.incarnation !== dot.incarnation &&
            sameOperation(s.operation, sibling.operation) &&
            sameElement(s, sibling),
        ),
    );
  const left = record.siblings.filter((sibling) => {
    if (askedAbout && isTwinOfForgotten(sibling)) return false;
    if (!retried.some((entry) => sameOperation(entry.operation, sibling.operation))) return true;
    const twins = known.filter(
      ({ dot, operation }) =>
        dot.incarnation !== sibling.dot.incarnation && sameOperation(operation, sibling.operation),
    );
    return twins.every(({ dot }) =>
      record.siblings.some(
        (s) =>
          s.dot.incarnation === dot.incarnation &&
          sameOperation(s.operation, sibling.operation) &&
          sameElement(s, sibling),
      ),
    );
  });
  if (left.length === record.siblings.length) return left;
  /**
   * Each dot of its operation that is gone has an heir: a later add of the element by the same coordinator, which is here, and nothing was
   * removed between the two as far as is remembered.
   */
  const isReplaced = (sibling: Sibling): boolean => {
    const gone = record.recentOperations.filter(({ operation }) =>
      sameOperation(operation, sibling.operation),
    );
    if (gone.length === 0 || record.recentOperations.length >= RECENT_OPERATIONS_MAX) return false;
    return gone.every(({ dot, hlc }) =>
      record.siblings.some(
        (s) =>
          s.dot.incarnation === dot.incarnation &&
          s.dot.counter > dot.counter &&
          !sameOperation(s.operation, sibling.operation) &&
          sameElement(s, sibling) &&
          !record.recentOperations.some((o) => o.hlc > hlc && o.hlc < s.hlc),
      ),
    );
  };
  return record.siblings.filter(
    (s) => left.includes(s) || (!left.some((other) => sameElement(s, other)) && isReplaced(s)),
  );
}

/** The elements, each once. */
export function distinctElements(elements: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(elements.map((element) => [elementName(element), element])).values()];
}

/** Equal for equal bytes. */
function elementName(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
