// Package playground has the page at /ui/, on which people try the server. Its
// sources are in src; scripts/playground.sh bundles them into dist, which is
// committed, so that nobody needs Node.js to build the server.
package playground

import "embed"

// Files has the page, in the folder dist.
//
//go:embed dist
var Files embed.FS
