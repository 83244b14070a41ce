// Package db keeps orders in an embedded SQLite file or in PostgreSQL, through GORM.
package db

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

type orderRow struct {
	ID            string `gorm:"primaryKey"`
	Customer      string
	Status        string
	ChargedBy     string
	Tracking      string
	Why           string
	RefundedCents int64
	CreatedAt     time.Time
	Version       int64
	HeldUntil     int64     `gorm:"index"` // Unix microseconds; 0: finished
	Items         []itemRow `gorm:"foreignKey:OrderID"`
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
	return stored(err)
}

// Update implements ports.DB.
func (d *DB) Update(ctx context.Context, order domain.Order) (domain.Order, error) {
	before := order.Version
	order.Version++
	row := toRow(order)
	result := d.gorm.WithContext(ctx).Model(&orderRow{}).Where("id = ? AND version = ?", order.ID, before).
		Select("status", "charged_by", "tracking", "why", "refunded_cents", "version", "held_until").Updates(&row)
	if result.Error == nil && result.RowsAffected == 0 {
		return domain.Order{}, domain.ErrChanged
	}
	return order, stored(result.Error)
}

// Get implements ports.DB.
func (d *DB) Get(ctx context.Context, id string) (domain.Order, error) {
	var row orderRow
	err := d.gorm.WithContext(ctx).Preload("Items").First(&row, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Order{}, domain.ErrNotFound
	}
	if err != nil {
		return domain.Order{}, stored(err)
	}
	return toOrder(row), nil
}

// Unheld implements ports.DB.
func (d *DB) Unheld(ctx context.Context, now time.Time, most int) ([]string, error) {
	var ids []string
	err := d.gorm.WithContext(ctx).Model(&orderRow{}).Where("held_until > 0 AND held_until <= ?", now.UnixMicro()).
		Order("held_until").Limit(most).Pluck("id", &ids).Error
	return ids, stored(err)
}

func stored(err error) error {
	if err == nil {
		return nil
	}
	return &domain.StoreError{Cause: err}
}

func toRow(order domain.Order) orderRow {
	row := orderRow{
		ID: order.ID, Customer: order.Customer, Status: string(order.Status), ChargedBy: order.ChargedBy,
		Tracking: order.Tracking, Why: order.Why, RefundedCents: order.RefundedCents, CreatedAt: order.CreatedAt,
		Version: order.Version,
	}
	if !order.HeldUntil.IsZero() {
		row.HeldUntil = order.HeldUntil.UnixMicro()
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
		ID: row.ID, Customer: row.Customer, Status: domain.Status(row.Status), ChargedBy: row.ChargedBy,
		Tracking: row.Tracking, Why: row.Why, RefundedCents: row.RefundedCents, CreatedAt: row.CreatedAt,
		Version: row.Version,
	}
	if row.HeldUntil != 0 {
		order.HeldUntil = time.UnixMicro(row.HeldUntil)
	}
	for _, item := range row.Items {
		order.Items = append(order.Items, domain.Item{
			Product: item.Product, UnitPriceCents: item.UnitPriceCents, Quantity: item.Quantity,
		})
	}
	return order
}
