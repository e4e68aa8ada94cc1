// SPDX-License-Identifier: EUPL-1.2

package login

var DemoTexts = demoTexts
var Device = device
