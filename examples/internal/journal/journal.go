// Package journal keeps lines of words in a text file that one process appends to and others may read.
package journal

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Journal is such a file, for the process that appends to it.
type Journal struct {
	mutex sync.Mutex // held while a line is written
	file  *os.File
	size  int64 // up to the end of the last whole line
}

// Open makes the file when it is missing, and cuts off what a process that died has left of a line.
func Open(path string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	whole := int64(bytes.LastIndexByte(text, '\n') + 1)
	if err == nil && whole < int64(len(text)) {
		err = file.Truncate(whole)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Journal{file: file, size: whole}, nil
}

// Close gives the file back.
func (j *Journal) Close() error { return j.file.Close() }

// Append returns when the line is on the disk. After an error it may be there, whole or not at all.
func (j *Journal) Append(words ...string) error {
	line := strings.Join(words, " ") + "\n"
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if _, err := j.file.WriteString(line); err != nil {
		return fmt.Errorf("journal: %w", undo(err, j.file.Truncate(j.size)))
	}
	j.size += int64(len(line))
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func undo(why, failed error) error {
	if failed != nil {
		return fmt.Errorf("%w, and half a line stays: %w", why, failed)
	}
	return why
}

// Lines are the whole lines of a file, as words.
func Lines(path string) ([][]string, error) { return read(path, "") }

// About are the lines of a file whose first word is the given one.
func About(path, first string) ([][]string, error) { return read(path, first+" ") }

func read(path, beginning string) ([][]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var lines [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(line, "\n") && strings.HasPrefix(line, beginning) {
			lines = append(lines, strings.Fields(line))
		}
	}
	return lines, nil
}
