/** The whole program out of the executable: inside it, this takes the place of `scripts/hb-all.ts`. */
import { WHOLE_ASSET } from './asset-names.ts'
import { runAsset } from './run-asset.ts'

runAsset(WHOLE_ASSET)
