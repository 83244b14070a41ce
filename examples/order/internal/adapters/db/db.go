// Package db keeps orders in an embedded SQLite file, through GORM.
package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// WAL lets others read while an order is written; FULL has each commit on the disk before it is answered.
const pragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"

type orderRow struct {
	ID        string `gorm:"primaryKey"`
	Customer  string
	Status    string
	ChargedBy string
	CreatedAt time.Time
	Items     []itemRow `gorm:"foreignKey:OrderID"`
}

// TableName tells GORM.
func (orderRow) TableName() string { return "orders" }

type itemRow struct {
	ID             uint   `gorm:"primaryKey"`
	OrderID        string `gorm:"index"`
	Product        string
	UnitPriceCents int64
	Quantity       int32
}

// TableName tells GORM.
func (itemRow) TableName() string { return "items" }

// DB implements ports.DB.
type DB struct{ gorm *gorm.DB }

var _ ports.DB = (*DB)(nil)

// Open makes the file and its tables when they are missing.
func Open(path string) (*DB, error) {
	handle, err := gorm.Open(sqlite.Open(path+pragmas), &gorm.Config{
		Logger:         logger.Discard,
		TranslateError: true,
	})
	if err != nil {
		return nil, fmt.Errorf("order database %s: %w", path, err)
	}
	pool, err := handle.DB()
	if err != nil {
		return nil, fmt.Errorf("order database %s: %w", path, err)
	}
	pool.SetMaxOpenConns(1) // SQLite has one writer; waiting here is cheaper than being told to try again
	if err := handle.AutoMigrate(&orderRow{}, &itemRow{}); err != nil {
		return nil, fmt.Errorf("order database %s: %w", path, err)
	}
	return &DB{gorm: handle}, nil
}

// Close gives the file back.
func (d *DB) Close() error {
	pool, err := d.gorm.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Insert implements ports.DB.
func (d *DB) Insert(ctx context.Context, order domain.Order) error {
	row := toRow(order)
	err := d.gorm.WithContext(ctx).Create(&row).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return domain.ErrExists
	}
	return inDatabase(err)
}

// SetPayment implements ports.DB.
func (d *DB) SetPayment(ctx context.Context, order domain.Order) error {
	result := d.gorm.WithContext(ctx).Model(&orderRow{}).Where("id = ?", order.ID).
		Updates(map[string]any{"status": string(order.Status), "charged_by": order.ChargedBy})
	if result.Error == nil && result.RowsAffected == 0 {
		return domain.ErrNotFound
	}
	return inDatabase(result.Error)
}

// Get implements ports.DB.
func (d *DB) Get(ctx context.Context, id string) (domain.Order, error) {
	var row orderRow
	err := d.gorm.WithContext(ctx).Preload("Items").First(&row, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Order{}, domain.ErrNotFound
	}
	if err != nil {
		return domain.Order{}, inDatabase(err)
	}
	return toOrder(row), nil
}

func inDatabase(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("order database: %w", err)
}

func toRow(order domain.Order) orderRow {
	row := orderRow{
		ID: order.ID, Customer: order.Customer, Status: string(order.Status),
		ChargedBy: order.ChargedBy, CreatedAt: order.CreatedAt,
	}
	for _, item := range order.Items {
		row.Items = append(row.Items, itemRow{
			Product: item.Product, UnitPriceCents: item.UnitPriceCents, Quantity: item.Quantity,
		})
	}
	return row
}

func toOrder(row orderRow) domain.Order {
	order := domain.Order{
		ID: row.ID, Customer: row.Customer, Status: domain.Status(row.Status),
		ChargedBy: row.ChargedBy, CreatedAt: row.CreatedAt,
	}
	for _, item := range row.Items {
		order.Items = append(order.Items, domain.Item{
			Product: item.Product, UnitPriceCents: item.UnitPriceCents, Quantity: item.Quantity,
		})
	}
	return order
}
