import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** What takes minutes, most of them spent waiting: begun last, it would be waited for alone. */
const LONG = [
  'e2e/chaos',
  'integration/daemon/real-clock',
  'integration/model/model',
  'e2e/runner-conformance',
  'e2e/foreign-runner',
  'integration/runner/conformance',
  'integration/rounds/crash-kills',
  'integration/rounds/crash-cuts',
  'e2e/shown-restarts',
  'integration/doctor/doctor',
  'e2e/shown-held',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return place < 0 ? LONG.length : place;
    };
    const sorted = await super.sort(files);
    return [...sorted].sort((a, b) => rank(a) - rank(b));
  }
}

/** Where the first failure ends the run: what tries many cases comes after what needs milliseconds. */
const MANY_CASES = ['core/schedule/occurrences', 'core/properties'];

export class QuickestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      MANY_CASES.findIndex((name) => moduleId.endsWith(`/test/unit/${name}.test.ts`));
    const sorted = await super.sort(files);
    return [...sorted].sort((a, b) => rank(a) - rank(b));
  }
}
