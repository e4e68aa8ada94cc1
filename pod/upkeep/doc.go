// SPDX-License-Identifier: EUPL-1.2

// Package upkeep is what an operator does to whole pods, whatever they hold: [Check]
// looks whether all holds that must, [Upgrade] brings one to this version's [Schema],
// [Erase] removes one. No agent asks, and nothing is told of what a pod holds.
package upkeep
