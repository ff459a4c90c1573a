package kube

import "context"

// GetItem fetches one object as an Item, complete with apiVersion and kind.
func (c *Client) GetItem(ctx context.Context, r Resource, ns, name string) (Item, error) {
	raw, err := c.Get(ctx, r, ns, name)
	if err != nil {
		return Item{}, err
	}
	return itemOf(ListRequest{Resource: r}, raw)
}
