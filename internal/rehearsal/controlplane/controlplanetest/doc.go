// Package controlplanetest is what every provider of control planes has to pass.
package controlplanetest
