import { execFileSync } from 'node:child_process';

/** Integration tests run the built command-line program, so it is built once before any test. */
export function setup(): void {
  execFileSync('npm', ['run', '-s', 'build'], { stdio: 'inherit' });
}
