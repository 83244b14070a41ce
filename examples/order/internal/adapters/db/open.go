package db

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const (
	// WAL lets others read while an order is written; FULL has each commit on the disk before it is answered.
	pragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"

	postgresConnections = 16
	askAgain            = 100 * time.Millisecond
	// Whoever holds this lock of the database makes the tables.
	tablesLock = 0x6f72646572
)

// Open takes postgres://USER:PASSWORD@HOST/DATABASE, or else the path of an SQLite file, which it makes when it is missing.
// It makes the tables when they are. A server that does not answer, as it may just be starting, is asked again for so long.
func Open(where string, within time.Duration) (*DB, error) {
	if !strings.HasPrefix(where, "postgres://") && !strings.HasPrefix(where, "postgresql://") {
		// SQLite has one writer; waiting here is cheaper than being told to try again.
		return openWith(sqlite.Open(where+pragmas), 1, makeTables)
	}
	for end := time.Now().Add(within); ; time.Sleep(askAgain) {
		db, err := openWith(postgres.Open(where), postgresConnections, makeTablesAlone)
		var unreadable *pgconn.ParseConfigError
		if err == nil || errors.As(err, &unreadable) || time.Now().After(end) {
			return db, err
		}
	}
}

func openWith(driver gorm.Dialector, connections int, tables func(*gorm.DB) error) (*DB, error) {
	handle, err := gorm.Open(driver, &gorm.Config{Logger: logger.Discard, TranslateError: true})
	if err != nil {
		return nil, fmt.Errorf("order database: %w", err)
	}
	db := &DB{gorm: handle}
	pool, err := handle.DB()
	if err == nil {
		pool.SetMaxOpenConns(connections)
		pool.SetMaxIdleConns(connections)
		err = tables(handle)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("order database: %w", err), db.Close())
	}
	return db, nil
}

func makeTables(handle *gorm.DB) error { return handle.AutoMigrate(&orderRow{}, &itemRow{}) }

// makeTablesAlone is for servers: several processes may begin at the same time.
func makeTablesAlone(handle *gorm.DB) error {
	return handle.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("SELECT pg_advisory_xact_lock(?)", int64(tablesLock)).Error; err != nil {
			return err
		}
		return makeTables(tx)
	})
}
