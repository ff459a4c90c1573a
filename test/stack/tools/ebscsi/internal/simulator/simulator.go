// Package simulator asks the EBS simulator for what EC2 would not tell: in which
// directory the data of a volume lies.
package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Client talks to the simulator's admin API.
type Client struct {
	endpoint, token string
}

// New takes the simulator's address and the file that holds its admin token.
func New(endpoint, tokenFile string) (*Client, error) {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, fmt.Errorf("read admin token: %w", err)
	}
	return &Client{endpoint: strings.TrimSuffix(endpoint, "/"), token: strings.TrimSpace(string(token))}, nil
}

// VolumeDir is the directory with the data of a volume.
func (c *Client) VolumeDir(ctx context.Context, id string) (string, error) {
	var volume struct {
		Dir string `json:"dir"`
	}
	if err := c.get(ctx, "/_sim/volumes/"+id, &volume); err != nil {
		return "", fmt.Errorf("find data of volume %s: %w", id, err)
	}
	if volume.Dir == "" {
		return "", fmt.Errorf("find data of volume %s: the simulator names no directory", id)
	}
	return volume.Dir, nil
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return json.Unmarshal(body, out)
}
