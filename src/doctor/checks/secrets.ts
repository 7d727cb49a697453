/** Who can read the files that the configuration is in. */
import {type Check, ok, warn} from '../check.ts';

export const secretsChecks: Check[] = [
  {
    id: 'open-files',
    title: 'no file in which a password stands can be read by everybody',
    needs: ['config'],
    run({config}) {
      const exposed = config.exposed();
      if (exposed.length === 0) return ok('passwords are in files that are closed to others, or in none');
      return exposed.map(({what, hint}) => warn(what, hint));
    },
  },
];
