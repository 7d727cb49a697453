import type {BasePlace} from '../base/sweep.ts';
import {BaseFiles} from '../base/sweeper.ts';
import type {World} from '../core/world.ts';
import type {FacadeOptions} from '../facade/server.ts';
import {loadBinding} from '../rbd/binding.ts';

/** Nova's local copies of images, looked at again when this host has filled the cell's copy of one. */
export function composeBaseFiles(place: BasePlace & {settle: number}, world: World): BaseFiles {
  const {tryLockFile, tryLeaseFile} = loadBinding();
  const {emit} = world;
  const base = new BaseFiles({...place, tryLock: tryLockFile, tryLease: tryLeaseFile, cell: world.cell, emit});
  world.emit = event => {
    emit(event);
    if (event.type === 'fill-published') void base.consider(event.image);
  };
  return base;
}

/** And when Nova has read all of one through the facade: its pre-caching API does so, and no spawn needs what it leaves. */
export function heeded<Told extends Pick<FacadeOptions, 'onPassed'>>(told: Told, base: BaseFiles | undefined): Told {
  if (base === undefined) return told;
  return {
    ...told,
    onPassed: passed => {
      told.onPassed?.(passed);
      const image = /^\/v2\/images\/([^/]+)\/file$/.exec(passed.path)?.[1];
      if (image !== undefined && passed.method === 'GET' && passed.status === 200) void base.consider(image);
    },
  };
}
