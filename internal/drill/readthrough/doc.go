// Package readthrough reads a file system from one end to the other, as a drill does with each
// restored volume: what is made of a snapshot is loaded when it is read for the first time, and
// only who has read a file knows that it can be read.
package readthrough
