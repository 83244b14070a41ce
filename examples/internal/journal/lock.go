package journal

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Lock keeps all processes that use a folder from locking the same name until unlock is called, or the process ends. Each
// name is a byte of one file; two names may share one.
func Lock(folder, name string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	hash := fnv.New32a()
	hash.Write([]byte(name))
	whole := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(hash.Sum32()), Len: 1}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLKW, &whole)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: cannot lock: %w", err), file.Close())
	}
	return func() { file.Close() }, nil
}
